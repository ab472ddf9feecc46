"""Metrics of other libraries that the user has installed, with one adapter per library.

An adapter describes the metrics of a library and how to call them. This module makes ordinary
metrics from these descriptions.
"""

from __future__ import annotations

import inspect
import random
import sys
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Literal, get_args, get_origin

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, create_model
from torch import Tensor, nn

from iqbench.errors import IqbenchError, unknown_name
from iqbench.metrics._base import (
    NETWORK_TOLERANCE,
    Column,
    Maps,
    Metric,
    Needs,
    Place,
    Scope,
    Statistics,
    Tap,
)
from iqbench.metrics._no_downloads import no_downloads
from iqbench.metrics._peak_memory import peak_bytes
from iqbench.metrics._statistics import Mean
from iqbench.networks.weights import Weights
from iqbench.networks.weights.store import content_digest
from iqbench.specs import build, format_value, parse_spec

__all__ = ["Call", "Library", "LibraryMetric", "Offer", "option_fields", "probe_images"]

Call = Callable[[Tensor, Tensor | None], Any]
"""Takes outputs and references, (N, 3, H, W) in [0, 1], and returns one value per output."""

SEED = 0
_SIDE = 256
"""Side of the test image for measuring memory."""


class _NoOptions(BaseModel):
    """The options of a metric without options, or with options that only the library knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Offer:
    """The description of a metric of a library.

    Attributes
    ----------
    name
        The library's name of the metric.
    direction
        As in `Column`; ``none`` if the library does not declare it.
    needs, scope
        As in `Metric`.
    options
        Type and default by name, as `pydantic.create_model` takes them; None if the library takes
        any options and checks them itself.
    """

    name: str
    direction: str
    needs: Needs
    scope: Scope = "image"
    options: Mapping[str, tuple[Any, Any]] | None = field(default_factory=dict, hash=False)


class Library(ABC):
    """The adapter of a library: it describes its metrics, and calls them.

    A subclass uses only the public interface of the library.

    Attributes
    ----------
    name
        The prefix of a spec, before the colon.
    package
        The module to import.
    distribution
        The name for pip.
    home
        The address of its documentation.
    draws
        Whether metrics may use random numbers. They are seeded for each image, and the seed is
        part of the signature.
    batches
        Whether a call may have several images. When a metric is loaded, it is tested that their
        values equal those of single images.
    """

    name: ClassVar[str]
    package: ClassVar[str]
    distribution: ClassVar[str]
    home: ClassVar[str]
    draws: ClassVar[bool] = False
    batches: ClassVar[bool] = False

    def __eq__(self, other: object) -> bool:
        """Return whether both are adapters of the same class; adapters have no state."""
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    @abstractmethod
    def names(self) -> Iterable[str]:
        """Return the names of the library's metrics."""

    @abstractmethod
    def offer(self, name: str) -> Offer:
        """Describe one of `names`, without loading weights."""

    @abstractmethod
    def load(self, name: str, options: Mapping[str, Any]) -> tuple[Call, nn.Module | None]:
        """Return a function that computes a metric on the CPU, and the module with its weights."""

    def canonical(self, name: str) -> str:
        """Return the entry of `names` that a name means; unknown names are returned unchanged."""
        return name

    def imported(self) -> ModuleType:
        """Import the library.

        Raises
        ------
        IqbenchError
            If it is not installed, or cannot be imported.
        """
        try:
            with _contained():
                return import_module(self.package)
        except ImportError as error:
            if isinstance(error, ModuleNotFoundError) and error.name == self.package:
                raise IqbenchError(
                    f"metrics named {self.name}:... are computed by {self.distribution}, "
                    "which is not installed",
                    hint=f"Install it: pip install {self.distribution}",
                ) from error
            raise IqbenchError(
                f"{self.distribution} is installed but cannot be imported: {error}",
                hint=f"Fix it: pip install --force-reinstall {self.distribution}",
            ) from error

    def version(self) -> str:
        """Return the version of the library."""
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            return str(getattr(self.imported(), "__version__", "unknown"))

    def metric(self, spec: str) -> LibraryMetric:
        """Create a metric of this library.

        Parameters
        ----------
        spec
            The spec after the library's name and colon: ``name`` or ``name:key=value,...``.

        Raises
        ------
        IqbenchError
            If the library is not installed, the metric is unknown, or has one value per set.
        """
        name, options = parse_spec(spec)
        return self.build(name, options)

    def build(self, name: str, options: Mapping[str, str]) -> LibraryMetric:
        """Create a metric of this library with options, as written in a spec."""
        self.imported()
        name = self.canonical(name)
        names = list(self.names())
        if name not in names:
            raise unknown_name(f"metric of {self.name}", name, names)
        made = _metric_class(self, name)
        if made.scope != "image":
            raise IqbenchError(
                f"{made.name} has one value per set of images, and iqbench uses only metrics of "
                f"single images of {self.name}",
                hint="Use iqbench's own metrics of sets: fid, kid",
            )
        where = f"metric {made.name!r}"
        if made.offer.options is None:
            values = tuple((key, _guess(value)) for key, value in sorted(options.items()))
            return made(options=_NoOptions(), others=values)
        return made(options=build(made.option_model, options, where=where))


class LibraryMetric(Metric):
    """A metric that another library computes on whole images.

    Gray images count as three equal channels.
    """

    library: ClassVar[Library]
    offer: ClassVar[Offer]
    option_model: ClassVar[type[BaseModel]]

    options: BaseModel = _NoOptions()
    others: tuple[tuple[str, str | float | bool], ...] = ()

    def chosen(self) -> Iterator[tuple[str, Any]]:
        """Return the options as the library takes them."""
        yield from self.options
        yield from self.others

    def _differing(self) -> dict[str, str]:
        """Return the options that are not the library's defaults, as in a spec."""
        defaults = {} if self.offer.options is None else dict(self.option_model())
        return {
            name: format_value(value)
            for name, value in self.chosen()
            if name not in defaults or defaults[name] != value
        }

    def columns(self) -> tuple[Column, ...]:
        """Return the one column; its name has the options that are not the library's defaults."""
        differing = self._differing()
        suffix = "".join(f"-{name}={value}" for name, value in differing.items())
        made_by = f"{self.library.distribution} {self.library.version()}"
        fixed = {"library": made_by} | ({"seed": str(SEED)} if self.library.draws else {})
        return (
            Column(
                self.name + suffix,
                self.offer.direction,
                self.summary,
                (Tap(whole=True),),
                options=(*fixed.items(), *differing.items()),
                headline=True,
                tolerance=NETWORK_TOLERANCE,
                definition=f"{self.offer.name} as {made_by} computes it, on whole images with "
                "values in [0, 1]. Gray images count as three equal channels.",
            ),
        )

    def parameters(self, folder: Path | None) -> Weights | None:
        """Let the library load its weights, and compute their digest."""
        return _loaded(self).weights

    def bytes_a_pixel(self) -> int | None:
        """Return the result of a measurement on a probe; None if the probe failed."""
        return _loaded(self).bytes_a_pixel

    def batched(self) -> bool:
        """Return whether the library takes several outputs at once."""
        return _loaded(self).batched

    def observe(
        self,
        tap: Tap,
        reference: tuple[Tensor, ...],
        output: Tensor,
        parameters: Maps,
        place: Place,
    ) -> Statistics:
        """Let the library compute the values of whole images."""
        loaded = _loaded(self)
        call = loaded.on(output.device)
        outputs = _coloured(output)
        references = _coloured(reference[0]).expand_as(outputs) if reference else None
        step = len(outputs) if loaded.batched else 1
        found = [
            self._values(
                call,
                outputs[start : start + step],
                None if references is None else references[start : start + step],
            )
            for start in range(0, len(outputs), step)
        ]
        return {"value": Mean(torch.cat(found), 1)}

    def _values(self, call: Call, outputs: Tensor, references: Tensor | None) -> Tensor:
        """Call the library with its own seed, and check that it returns one value per image."""
        with _seeded(outputs.device), _contained(), _older_flags():
            found = call(outputs.contiguous(), references)
        values = torch.as_tensor(found, dtype=torch.float64, device=outputs.device).flatten()
        if len(values) != len(outputs):
            raise ValueError(f"{len(values)} values for {len(outputs)} images")
        return values

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Return the value itself."""
        return means["value"]

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by name, because the class is created at run time."""
        options = {name: format_value(value) for name, value in self.chosen() if value is not None}
        return _rebuilt, (self.library, self.offer.name, options)


def _rebuilt(library: Library, name: str, options: Mapping[str, str]) -> LibraryMetric:
    """Create a metric from its pickled name."""
    return library.build(name, options)


@cache
def _metric_class(library: Library, name: str) -> type[LibraryMetric]:
    """Create the class of one metric of a library."""
    offer = library.offer(name)
    fields: dict[str, Any] = dict(offer.options or {})
    config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())
    model = create_model(f"{library.name}_{name}_options", __config__=config, **fields)
    what = {"output": "without reference", "reference and output": "against the reference"}
    class_name = f"{library.name}_{name}"
    members = {
        "__module__": __name__,
        "__qualname__": class_name,  # pydantic 2.6 reads it
        "__doc__": f"{offer.name} of {library.distribution}, {what.get(offer.needs, '')}.",
        "name": f"{library.name}:{offer.name}",
        "summary": f"{offer.name} as {library.distribution} computes it, {what.get(offer.needs)}",
        "citation": f"{library.distribution} {library.version()}, {library.home}",
        "needs": offer.needs,
        "scope": offer.scope,
        "role": "naturalness" if offer.needs == "output" else "perception",
        "library": library,
        "offer": offer,
        "option_model": model,
    }
    return type(class_name, (LibraryMetric,), members)


@dataclass(frozen=True, eq=False)
class _Loaded:
    """A loaded metric: the function that computes it, and the results of tests on a probe."""

    call: Call
    module: nn.Module | None
    weights: Weights | None
    bytes_a_pixel: int | None
    batched: bool

    def on(self, device: torch.device) -> Call:
        """Return the function that computes the metric on a device."""
        if self.module is not None:
            self.module.to(device)
        return self.call


@lru_cache(maxsize=32)
def _loaded(metric: LibraryMetric) -> _Loaded:
    """Load a metric once, and test it on a probe.

    Raises
    ------
    IqbenchError
        If the library refuses the options, or cannot find or fetch its weights.
    """
    library, name = metric.library, metric.offer.name
    options = {key: value for key, value in metric.chosen() if value is not None}
    try:
        with torch.inference_mode(False), _seeded(torch.device("cpu")), _contained():
            call, module = library.load(name, options)
            state = {} if module is None else module.state_dict()
        with torch.inference_mode(), _seeded(torch.device("cpu")), _contained():
            try:
                peak, batched = _try(call, alone=metric.needs == "output", several=library.batches)
            except OSError:
                raise
            except Exception:  # the probe may be unsuitable, while later images are suitable
                peak, batched = None, False
    except OSError as error:  # also URLError
        raise IqbenchError(
            f"{library.distribution} cannot load the weights of {metric.name}: {error}",
            hint=f"{library.distribution} fetches its weights itself: run once with a network",
        ) from error
    except (TypeError, ValueError, KeyError, AssertionError, ImportError, RuntimeError) as error:
        raise IqbenchError(
            f"{library.distribution} cannot make {metric.name}: "
            f"{str(error).partition(chr(10))[0] or type(error).__name__}",
            hint=f"See its options at {library.home}",
        ) from error
    weights = None
    if state:
        arrays = {key: value.detach().cpu() for key, value in state.items()}
        # Numpy has no bfloat16; float32 represents each of its values.
        exact = {
            key: (value.float() if value.dtype == torch.bfloat16 else value).numpy()
            for key, value in arrays.items()
        }
        weights = Weights(metric.name, {}, content_digest(exact), library.distribution)
    return _Loaded(call, module, weights, peak, batched)


def _try(call: Call, *, alone: bool, several: bool) -> tuple[int, bool]:
    """Call a metric on a probe.

    Parameters
    ----------
    call
        The metric.
    alone
        Whether it takes only outputs.
    several
        Whether to test a batch too.

    Returns
    -------
    tuple
        The bytes per pixel, and whether the values of a batch equal those of single images (SR-SIM
        of piq 0.8.0, for example, mixes the images of a batch).
    """
    output, reference = probe_images(_SIDE)
    given = None if alone else reference
    found: list[Any] = []
    peak = peak_bytes(lambda: found.append(call(output, given))) // _SIDE**2
    if not several:
        return peak, False
    other = output.flip(3) * 0.5
    found.append(call(other, given))
    single = torch.stack([_numbers(value) for value in found]).flatten()
    both = None if given is None else given.expand(2, -1, -1, -1)
    together = _numbers(call(torch.cat([output, other]), both))
    same = together.shape == single.shape and torch.allclose(together, single, rtol=1e-5)
    return peak, same


def _numbers(value: object) -> Tensor:
    """Convert the result of a library to a row of numbers."""
    return torch.as_tensor(value, dtype=torch.float64, device="cpu").flatten()


def probe_images(side: int) -> tuple[Tensor, Tensor]:
    """Return an output and its reference, (1, 3, side, side): waves, with and without noise."""
    steps = torch.arange(side, dtype=torch.float32, device="cpu") / side
    waves = torch.sin(steps[:, None] * 21 + steps[None] * 13)
    reference = torch.stack([waves, waves.T, waves.flip(0)])[None] * 0.4 + 0.5
    noise = torch.from_numpy(np.random.default_rng(SEED).normal(0, 0.05, reference.shape)).float()
    return (reference + noise).clamp(0, 1), reference.contiguous()


def option_fields(
    signature: inspect.Signature, without: Iterable[str]
) -> dict[str, tuple[Any, Any]]:
    """Return the options of a signature: parameters with a default that a spec can express.

    Parameters
    ----------
    signature
        The signature of a function or constructor.
    without
        Names of parameters that are not options.
    """
    left_out = {*without, "self", "args", "kwargs"}
    fields = {}
    for name, parameter in signature.parameters.items():
        if name not in left_out and parameter.default is not parameter.empty:
            kind = _kind(parameter.annotation, parameter.default)
            if kind is not None:
                default = parameter.default
                fields[name] = (kind, tuple(default) if isinstance(default, list) else default)
    return fields


def _kind(annotation: Any, default: Any) -> Any:
    """Return the type of an option; None if a spec cannot express it."""
    if get_origin(annotation) is Literal:
        return annotation
    if isinstance(default, (list, tuple)):
        kinds = {type(item) for item in default}
        if kinds <= {int, float}:
            return tuple[float, ...] if float in kinds else tuple[int, ...]
        return tuple[str, ...] if kinds == {str} else None
    if isinstance(default, bool | str):
        return type(default)
    if isinstance(default, int | float):
        wide = annotation is float or (float in get_args(annotation) and isinstance(default, float))
        return float if wide else type(default)
    return None


def _guess(text: str) -> str | float | bool:
    """Parse an option of unknown type: as a truth value, a number, or text."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _coloured(image: Tensor) -> Tensor:
    """Return three channels; gray is repeated."""
    return image.expand(-1, 3, -1, -1)


@contextmanager
def _seeded(device: torch.device) -> Iterator[None]:
    """Seed every random generator that a library may use; restore their states afterwards."""
    python, numpy = random.getstate(), np.random.get_state()
    devices = [device] if device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices):
            random.seed(SEED)
            np.random.seed(SEED)
            torch.manual_seed(SEED)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


@contextmanager
def _older_flags() -> Iterator[None]:
    """Let a library read and set the older one of torch's two flags for cuDNN's precision.

    torch 2.9 and newer have one flag for each kind of operation, which iqbench sets. While these
    differ from the older flag, reading the older one fails, and pyiqa reads it in each call.
    """
    cudnn: Any = torch.backends.cudnn
    if not hasattr(cudnn, "rnn"):
        yield
        return
    before = cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision
    try:
        flag = cudnn.allow_tf32
    except RuntimeError:  # the flags differ
        flag = before[0] != "tf32"
    try:
        cudnn.allow_tf32 = before[0] == "tf32"
        cudnn.conv.fp32_precision = cudnn.rnn.fp32_precision = before[0]
        yield
    finally:
        cudnn.allow_tf32 = flag
        cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision = before


@contextmanager
def _contained() -> Iterator[None]:
    """Suppress warnings and printed text of a library.

    Its downloads are refused if the user forbids them.
    """
    with warnings.catch_warnings(), redirect_stdout(sys.stderr), no_downloads():
        warnings.simplefilter("ignore")
        yield
