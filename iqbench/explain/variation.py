"""Total variation in the forms of libraries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from iqbench.errors import IqbenchError
from iqbench.explain.convention import OWN, QUANTISED, RANGES, Convention
from iqbench.explain.family import MeanFamily
from iqbench.explain.pair import Pair
from iqbench.explain.prepared import AS_STORED, EXCHANGED, JPEG
from iqbench.images.safe_sqrt import safe_sqrt
from iqbench.metrics._tensors import score_as_they_are
from iqbench.metrics.tv import Form, Reduction, Tv, total_variation

__all__ = ["TvFamily"]

NAMES: tuple[Form, ...] = ("aniso", "iso", "sq")
OF_A_CHANNEL = "sum of a channel"
FORMS = (
    "tv-aniso-{}, sum",
    "tv-iso-{}, sum",
    "tv-sq-{}, sum",
    "tv-aniso-{}, " + OF_A_CHANNEL,
    "tv-aniso-{}, sum by pixel",
    "tv-aniso-{}, sum by pixel and channel",
    "tv-sq-{}, root of the sum",
    "tv-sq-{}, twice the mean",
)


class TvFamily(MeanFamily):
    """Total variation of output and reference, in every form and reduction."""

    metric = "tv"
    forms = tuple(form.format(side) for side in ("output", "reference") for form in FORMS)

    def values(self) -> Mapping[str, Sequence[str]]:
        """Return colours, quantisations, ranges and forms."""
        return {
            "colour": ("rgb", "luma-studio", "luma-full", "luma-full-rounded"),
            "quantise": QUANTISED,
            "prepared": (AS_STORED, EXCHANGED, *JPEG),
            "range": (OWN, "0..255", "-1..1"),
            "metric": (*(request.column.name for request in self.requests()), *self.forms),
        }

    def affordable(self, convention: Convention, scale: int | None) -> bool:
        """Leave crops to the presets; change colour or range, not both."""
        whole = convention.crop in (0, scale) and convention.modcrop in (1, scale)
        if convention.prepared != AS_STORED and convention.metric in self.forms:
            return False
        return whole and (convention.colour == "rgb" or convention.range == OWN)

    def measure(self, pair: Pair, convention: Convention) -> float:
        """Measure a part of the image."""
        name, _, how = convention.metric.partition(", ")
        if name in ("tv-ratio", "tv-residual"):
            return float(score_as_they_are(Tv(), name, *self._pixels(pair, convention)))
        _, form, side = name.split("-")
        (known,) = (item for item in NAMES if item == form)
        reduction: Reduction = "sum" if "sum" in how else "mean"
        view = convention._replace(metric="")

        def totals() -> Tensor:
            images = pair.once(("part", view), lambda: self._pixels(pair, convention))
            # Channels as a batch: each has its own total.
            image = images[side == "output"].transpose(0, 1)
            return total_variation(image, form=known, reduction=reduction)

        parts = pair.once((view, side, form, reduction), totals, large=False)
        total = parts.mean() if reduction == "mean" or how == OF_A_CHANNEL else parts.sum()
        if "by pixel" in how:
            rows, columns = pair.rows_and_columns(convention)
            pixels = (rows.stop - rows.start) * (columns.stop - columns.start)
            total = total / pixels / (len(parts) if "channel" in how else 1)
        if how == "root of the sum":
            total = safe_sqrt(total)
        return float(total) * (2 if how == "twice the mean" else 1)

    def _pixels(self, pair: Pair, convention: Convention) -> tuple[Tensor, Tensor]:
        """Return both parts in the convention's range, in float64: sums are long."""
        reference, output = pair.part(convention)
        if min(reference.shape[2:]) < 2:
            raise IqbenchError("total variation needs 2x2 pixels")
        scale, offset, _ = RANGES[convention.range]
        return reference.double() * scale + offset, output.double() * scale + offset
