"""Metrics with trained parameters: LPIPS, DISTS, NIQE."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from iqbench.errors import IqbenchError
from iqbench.explain.brightness import BRIGHTNESS
from iqbench.explain.convention import OWN, QUANTISED, RANGES, Convention
from iqbench.explain.family import Family, MeanFamily
from iqbench.explain.pair import Pair
from iqbench.explain.passes import order, reference_key, values
from iqbench.explain.prepared import AS_STORED, EXCHANGED, JPEG, ORIENTATIONS, SQUARE, WHOLE_SIZE
from iqbench.metrics._registry import Request, resolve_metrics
from iqbench.metrics._tensors import trained_parameters
from iqbench.metrics.lpips import NETWORKS, Lpips, Net
from iqbench.metrics.niqe import niqe
from iqbench.networks.backbone import IMAGENET_MEAN, IMAGENET_STD
from iqbench.networks.weights import locate

__all__ = ["DistsFamily", "LpipsFamily", "NiqeFamily", "need_weights"]

OLD = ", version 0.0"
PLAIN = ", no trained layers"

CPU = torch.device("cpu")

WRONG_RANGES = ("-1..1-as-0..1", "0..255-as-0..1")
"""Ranges that are given to functions of images in [0,1] by mistake."""

LPIPS_ERROR = 3e-4
DISTS_ERROR = 5e-5
"""Errors of convolutions in TF32, which PyTorch uses on GPUs by default."""


class LpipsFamily(Family[Mapping[str, float]]):
    """LPIPS with each network whose weights are on this machine; nothing is downloaded.

    The statistics of a pair are its values by column or form: those on the same features are
    computed in one pass.
    """

    metric = "lpips"
    limits = (0.0, math.inf)
    float_error = LPIPS_ERROR
    departures = 1
    networks = True

    def __init__(self) -> None:
        self._nets: list[Net] = [net for net in NETWORKS if locate(NETWORKS[net]) is not None]
        if not self._nets:
            raise IqbenchError(
                "the weights of LPIPS' networks are not there", hint="Run `iqbench weights fetch`"
            )
        self._old = tuple(f"lpips-{net}{OLD}" for net in self._nets if _old_file(net) is not None)
        self.forms = (*self._old, *(f"lpips-{net}{PLAIN}" for net in self._nets))

    def requests(self) -> list[Request]:
        """Return a column for each net."""
        return list(resolve_metrics(f"lpips-{net}" for net in self._nets))

    def values(self) -> Mapping[str, Sequence[str]]:
        """Return networks, versions, and inputs of the networks."""
        return {
            "colour": ("rgb", "bgr"),
            "quantise": QUANTISED,
            "brightness": BRIGHTNESS,
            "prepared": (*WHOLE_SIZE, *SQUARE),
            "range": (OWN, "0..1-as--1..1", "0..255-as--1..1", *WRONG_RANGES),
            "metric": (*(f"lpips-{net}" for net in self._nets), *self.forms),
        }

    def affordable(self, convention: Convention, scale: int | None) -> bool:
        """Try mistakes on whole images only: every convention is a pass through a network."""
        return convention.crop == 0

    def sample(self, convention: Convention) -> Convention:
        """Return the convention of the same features."""
        column = convention.metric.removesuffix(PLAIN)
        return super().sample(convention)._replace(metric=column)

    def order(self, convention: Convention) -> tuple[object, ...]:
        """Put conventions with one network and reference together."""
        return order(convention)

    def measure(self, pair: Pair, convention: Convention) -> Mapping[str, float]:
        """Score a part of the image."""
        column = convention.metric.removesuffix(OLD)
        (net,) = (item for item in self._nets if column == f"lpips-{item}")
        metric = Lpips(net=net)
        reference, output = _in_range(pair, convention)
        key = (convention.metric, *reference_key(convention))
        if convention.metric in self._old:
            reference, output = _unscaled(reference), _unscaled(output)
            old = pair.once(("0.0", net), lambda: _old_weights(net), large=False)
            return values(pair, key, metric, (reference, output), {convention.metric: old})
        trained = trained_parameters(metric, CPU)
        ones = {name: torch.ones_like(weight) for name, weight in trained.items()}
        heads = {column: trained, column + PLAIN: ones}
        return values(pair, key, metric, (reference, output), heads)

    def close(self, found: Sequence[Mapping[str, float]], convention: Convention) -> float:
        """Return the mean."""
        return fmean(self.each(found, convention))

    def each(self, found: Sequence[Mapping[str, float]], convention: Convention) -> list[float]:
        """Return the values of the column or form."""
        return [by_form[convention.metric] for by_form in found]


class DistsFamily(MeanFamily):
    """DISTS of whole images, or of images that were resized first; nothing is downloaded."""

    metric = "dists"
    limits = (0.0, 1.0)
    float_error = DISTS_ERROR
    forms = ("dists-resize=256",)
    departures = 1
    networks = True

    def __init__(self) -> None:
        need_weights(("vgg16", "dists"), "DISTS")

    def values(self) -> Mapping[str, Sequence[str]]:
        """Return sizes, and inputs of the network."""
        return {
            "colour": ("rgb", "bgr"),
            "quantise": QUANTISED,
            "brightness": BRIGHTNESS,
            "prepared": (*WHOLE_SIZE, *SQUARE),
            "range": (OWN, *WRONG_RANGES),
            "metric": (self.metric, *self.forms),
        }

    def affordable(self, convention: Convention, scale: int | None) -> bool:
        """Try mistakes on whole images only: every convention is a pass through a network."""
        return convention.crop == 0

    def order(self, convention: Convention) -> tuple[object, ...]:
        """Put conventions with one network and reference together."""
        return order(convention)

    def measure(self, pair: Pair, convention: Convention) -> float:
        """Score a part of the image."""
        (request,) = resolve_metrics([convention.metric])
        images = _in_range(pair, convention)
        key = (convention.metric, *reference_key(convention))
        heads = {self.metric: trained_parameters(request.metric, CPU)}
        return values(pair, key, request.metric, images, heads)[self.metric]


class NiqeFamily(MeanFamily):
    """NIQE of the output alone, on each luma; nothing is downloaded."""

    metric = "niqe"
    forms = ("niqe-luma=full", "niqe-rounded=false", "niqe-luma=full-rounded=false")
    departures = 1
    networks = True

    def __init__(self) -> None:
        need_weights(("niqe",), "NIQE")

    def values(self) -> Mapping[str, Sequence[str]]:
        """Return lumas, colours and what may have been done to the output."""
        return {
            "colour": ("rgb", "bgr"),
            "quantise": QUANTISED,
            "prepared": (AS_STORED, EXCHANGED, ORIENTATIONS[0], *JPEG),
            "metric": (self.metric, *self.forms),
        }

    def affordable(self, convention: Convention, scale: int | None) -> bool:
        """Try only modcrops of the scale: blocks start at the corner."""
        return convention.modcrop in (1, scale)

    def measure(self, pair: Pair, convention: Convention) -> float:
        """Score a part of the output."""
        _, output = pair.part(convention)
        options = convention.metric.removeprefix("niqe").split("-")
        return float(
            niqe(
                output,
                luma="full" if "luma=full" in options else "studio",
                rounded="rounded=false" not in options,
            )
        )


def need_weights(names: Sequence[str], metric: str) -> None:
    """Check that weights are on this machine.

    Raises
    ------
    IqbenchError
        If one is missing.
    """
    if any(locate(name) is None for name in names):
        raise IqbenchError(
            f"the weights of {metric} are not there", hint="Run `iqbench weights fetch`"
        )


def _in_range(pair: Pair, convention: Convention) -> tuple[Tensor, Tensor]:
    """Return what is scored of both images, in the convention's range."""
    scale, offset, _ = RANGES[convention.range]
    reference, output = pair.part(convention)
    return reference * scale + offset, output * scale + offset


def _unscaled(image: Tensor) -> Tensor:
    """Undo ImageNet's normalisation, so that the network sees [-1, 1]: version 0.0 has none."""
    deviation = image.new_tensor(IMAGENET_STD).view(1, 3, 1, 1)
    return (2 * image - 1) * deviation + image.new_tensor(IMAGENET_MEAN).view(1, 3, 1, 1)


def _old_file(net: Net) -> Path | None:
    """Return the linear layers of LPIPS 0.0 inside the installed package, if they are there."""
    package = find_spec("lpips")
    if package is None or package.origin is None:
        return None
    path = Path(package.origin).parent / "weights" / "v0.0" / f"{net}.pth"
    return path if path.is_file() else None


def _old_weights(net: Net) -> dict[str, Tensor]:
    """Load the linear layers of LPIPS 0.0 by layer, (1, C, 1, 1) each.

    Raises
    ------
    IqbenchError
        If the file cannot be read.
    """
    path = _old_file(net)
    assert path is not None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {key.partition(".")[0]: state[key] for key in sorted(state)}
    except Exception as error:  # a broken file can raise any error
        raise IqbenchError(f"{path} cannot be read: {error}") from error
