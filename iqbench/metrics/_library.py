"""Metrics of other libraries, which the user has installed: one adapter a library.

An adapter says what a library offers and how its metrics are called; what is made of that here is a
metric like any other.
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
"""Takes outputs and references, (N, 3, H, W) in [0, 1], and gives one value per output."""

SEED = 0
_SIDE = 256
"""Side of the test image whose memory is measured."""


class _NoOptions(BaseModel):
    """The options of a metric that has none, or whose options only the library knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Offer:
    """What a library says of one of its metrics.

    Attributes
    ----------
    name
        As the library calls it.
    direction
        As of `Column`; ``none`` where the library does not say what is better.
    needs, scope
        As of `Metric`.
    options
        Name to type and default, as `pydantic.create_model` takes them; None where the library
        takes any and checks them itself.
    """

    name: str
    direction: str
    needs: Needs
    scope: Scope = "image"
    options: Mapping[str, tuple[Any, Any]] | None = field(default_factory=dict, hash=False)


class Library(ABC):
    """Adapter of a library: what it offers, and how its metrics are called.

    A subclass uses the library's public interface only.

    Attributes
    ----------
    name
        What stands before the colon of a spec.
    package
        What is imported.
    distribution
        What pip installs.
    home
        Where it is described.
    draws
        Whether a metric may draw random numbers. They are seeded for each image, and the seed
        stands in the signature.
    batches
        Whether a call may have several images. Whether their values are those of single images is
        tried when a metric is loaded.
    """

    name: ClassVar[str]
    package: ClassVar[str]
    distribution: ClassVar[str]
    home: ClassVar[str]
    draws: ClassVar[bool] = False
    batches: ClassVar[bool] = False

    def __eq__(self, other: object) -> bool:
        """An adapter has no state."""
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    @abstractmethod
    def names(self) -> Iterable[str]:
        """Name what the library offers."""

    @abstractmethod
    def offer(self, name: str) -> Offer:
        """Say what one of `names` is, without loading weights."""

    @abstractmethod
    def load(self, name: str, options: Mapping[str, Any]) -> tuple[Call, nn.Module | None]:
        """Return what computes a metric on the CPU, and the module that holds its weights."""

    def canonical(self, name: str) -> str:
        """Return the name of `names` that a name means; as it is where there is none."""
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
        """Make a metric of this library.

        Parameters
        ----------
        spec
            What stands behind the library's name and colon: ``name`` or ``name:key=value,...``.

        Raises
        ------
        IqbenchError
            If the library is missing, or it or its metric is unknown; if it has one value per set.
        """
        name, options = parse_spec(spec)
        return self.build(name, options)

    def build(self, name: str, options: Mapping[str, str]) -> LibraryMetric:
        """Make a metric of this library with some options, as written in a spec."""
        self.imported()
        name = self.canonical(name)
        names = list(self.names())
        if name not in names:
            raise unknown_name(f"metric of {self.name}", name, names)
        made = _metric_class(self, name)
        if made.scope != "image":
            raise IqbenchError(
                f"{made.name} has one value per set of images, and only metrics of single images "
                f"are taken from {self.name}",
                hint="Metrics of sets are computed here: fid, kid",
            )
        where = f"metric {made.name!r}"
        if made.offer.options is None:
            values = tuple((key, _guess(value)) for key, value in sorted(options.items()))
            return made(options=_NoOptions(), others=values)
        return made(options=build(made.option_model, options, where=where))


class LibraryMetric(Metric):
    """A metric that another library computes, of whole images.

    Gray images count as three equal channels.
    """

    library: ClassVar[Library]
    offer: ClassVar[Offer]
    option_model: ClassVar[type[BaseModel]]

    options: BaseModel = _NoOptions()
    others: tuple[tuple[str, str | float | bool], ...] = ()

    def chosen(self) -> Iterator[tuple[str, Any]]:
        """Give the options as the library takes them."""
        yield from self.options
        yield from self.others

    def _differing(self) -> dict[str, str]:
        """Return the options that are not the library's defaults, as a spec has them."""
        defaults = {} if self.offer.options is None else dict(self.option_model())
        return {
            name: format_value(value)
            for name, value in self.chosen()
            if name not in defaults or defaults[name] != value
        }

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, spelt from the options that are not the library's defaults."""
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
                definition=f"{self.offer.name} as {made_by} computes it, of whole images with "
                "values in [0, 1]. Gray images count as three equal channels.",
            ),
        )

    def parameters(self, folder: Path | None) -> Weights | None:
        """Have the library load its weights from where it keeps them, and digest them."""
        return _loaded(self).weights

    def bytes_a_pixel(self) -> int | None:
        """Return what was measured on a probe; None where the probe could not be computed."""
        return _loaded(self).bytes_a_pixel

    def batched(self) -> bool:
        """Tell whether the library takes several outputs at once."""
        return _loaded(self).batched

    def observe(
        self,
        tap: Tap,
        reference: tuple[Tensor, ...],
        output: Tensor,
        parameters: Maps,
        place: Place,
    ) -> Statistics:
        """Have the library compute the values of whole images."""
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
        """Call the library, with a seed of its own, and check that it gives one value per image."""
        with _seeded(outputs.device), _contained(), _older_flags():
            found = call(outputs.contiguous(), references)
        values = torch.as_tensor(found, dtype=torch.float64, device=outputs.device).flatten()
        if len(values) != len(outputs):
            raise ValueError(f"{len(values)} values of {len(outputs)} images")
        return values

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Return the value itself."""
        return means["value"]

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by name: the class is made when it is asked for."""
        options = {name: format_value(value) for name, value in self.chosen() if value is not None}
        return _rebuilt, (self.library, self.offer.name, options)


def _rebuilt(library: Library, name: str, options: Mapping[str, str]) -> LibraryMetric:
    """Make a metric again that was pickled."""
    return library.build(name, options)


@cache
def _metric_class(library: Library, name: str) -> type[LibraryMetric]:
    """Make the class of one metric of a library."""
    offer = library.offer(name)
    fields: dict[str, Any] = dict(offer.options or {})
    config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())
    model = create_model(f"{library.name}_{name}_options", __config__=config, **fields)
    what = {"output": "without reference", "reference and output": "against the reference"}
    members = {
        "__module__": __name__,
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
    return type(f"{library.name}_{name}", (LibraryMetric,), members)


@dataclass(frozen=True, eq=False)
class _Loaded:
    """What computes a metric, and what was found when it was loaded."""

    call: Call
    module: nn.Module | None
    weights: Weights | None
    bytes_a_pixel: int | None
    batched: bool

    def on(self, device: torch.device) -> Call:
        """Return what computes it on a device."""
        if self.module is not None:
            self.module.to(device)
        return self.call


@lru_cache(maxsize=32)
def _loaded(metric: LibraryMetric) -> _Loaded:
    """Load a metric once, and try it on a probe.

    Raises
    ------
    IqbenchError
        If the library does not take the options, or cannot find or fetch its weights.
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
            except Exception:  # of an image that does not suit it; images to come may
                peak, batched = None, False
    except OSError as error:  # URLError is one
        raise IqbenchError(
            f"{library.distribution} cannot load what {metric.name} needs: {error}",
            hint=f"{library.distribution} fetches its weights itself: let it once with a network",
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
        # Numpy has no bfloat16; a float32 holds each of its values.
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
        Whether it takes outputs alone.
    several
        Whether to try a batch as well.

    Returns
    -------
    tuple
        The bytes that it takes a pixel, and whether the values of a batch are those of single
        images: piq 0.8.0's SR-SIM, for one, mixes the images of a batch.
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
    """Return what a library returned as a row of numbers."""
    return torch.as_tensor(value, dtype=torch.float64, device="cpu").flatten()


def probe_images(side: int) -> tuple[Tensor, Tensor]:
    """Make an output and its reference, (1, 3, side, side): waves, and noise on them."""
    steps = torch.arange(side, dtype=torch.float32, device="cpu") / side
    waves = torch.sin(steps[:, None] * 21 + steps[None] * 13)
    reference = torch.stack([waves, waves.T, waves.flip(0)])[None] * 0.4 + 0.5
    noise = torch.from_numpy(np.random.default_rng(SEED).normal(0, 0.05, reference.shape)).float()
    return (reference + noise).clamp(0, 1), reference.contiguous()


def option_fields(
    signature: inspect.Signature, without: Iterable[str]
) -> dict[str, tuple[Any, Any]]:
    """Read the options off a signature: what has a default that a spec can spell.

    Parameters
    ----------
    signature
        Of a function or constructor.
    without
        Names of parameters that are no options.
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
    """Return the type that an option is read as; None where a spec cannot spell it."""
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
    """Read an option whose type only the library knows: a truth value, a number, or text."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _coloured(image: Tensor) -> Tensor:
    """Return three channels: of a gray image three equal ones."""
    return image.expand(-1, 3, -1, -1)


@contextmanager
def _seeded(device: torch.device) -> Iterator[None]:
    """Seed every generator that a library may draw from; restore their states after."""
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
    """Let a library read and set the older of torch's two flags of cuDNN's precision.

    torch 2.9 and newer have one for each kind of operation, which iqbench sets. While these differ
    from the older flag, reading that one fails, and pyiqa reads it at each call.
    """
    cudnn: Any = torch.backends.cudnn
    if not hasattr(cudnn, "rnn"):
        yield
        return
    before = cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision
    try:
        flag = cudnn.allow_tf32
    except RuntimeError:  # it differs
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
    """Silence warnings, which are about the inside of a library; what it prints is not a result.

    What it wants to fetch is refused where users forbid it.
    """
    with warnings.catch_warnings(), redirect_stdout(sys.stderr), no_downloads():
        warnings.simplefilter("ignore")
        yield
