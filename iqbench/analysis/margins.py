"""Practical margins: how large a difference has to be before anybody should care."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from iqbench.errors import IqbenchError, unknown_name

__all__ = ["DEFAULT_MARGINS", "OTHER_MARGIN", "Margin", "margin_of", "parse_margins"]


@dataclass(frozen=True)
class Margin:
    """How far a mean has to move to count.

    Parameters
    ----------
    value
        Not negative, finite: in the metric's own unit, or a share of the baseline's mean.
    relative
        Whether it is a share: 0.01 is one per cent.
    reason
        Why a default is what it is.
    """

    value: float
    relative: bool = False
    reason: str = ""

    def of(self, mean: float) -> float:
        """Give the margin in the metric's unit, for a baseline of this (finite) mean."""
        return self.value * abs(mean) if self.relative else self.value

    def __str__(self) -> str:
        return f"{100 * self.value:g} %" if self.relative else f"{self.value:g}"


_DECIBEL = "smaller steps are below what papers print and what retraining with another seed moves"

DEFAULT_MARGINS: Mapping[str, Margin] = {
    "psnr": Margin(0.05, reason=_DECIBEL),
    "ms-ssim-db": Margin(0.05, reason="a level in dB, as PSNR"),
    "ssim": Margin(0.001, reason="papers print four digits and argue over the third"),
    "ms-ssim": Margin(0.001, reason="as SSIM"),
    "lpips": Margin(0.002, reason="papers print three digits and argue over the third"),
    "perceptual": Margin(0.01, relative=True, reason="its scale depends on network and layer"),
    "tv-ratio": Margin(0.01, reason="one per cent of the reference's total variation"),
}
"""By column name, or by its beginning up to a hyphen: ``lpips`` is for ``lpips-alex`` too."""

OTHER_MARGIN = Margin(0.01, relative=True, reason="nothing is known of the metric's scale")
"""For every other metric."""


def margin_of(metric: str, given: Mapping[str, Margin] | None = None) -> Margin:
    """Find the margin of a metric.

    Parameters
    ----------
    metric
        Column name.
    given
        Margins that come before `DEFAULT_MARGINS`, by column name or its beginning.

    Returns
    -------
    Margin
        Of the longest name that fits; a given one before a default one.
    """
    for margins in (given or {}, DEFAULT_MARGINS):
        fitting = [name for name in margins if _fits(name, metric)]
        if fitting:
            return margins[max(fitting, key=len)]
    return OTHER_MARGIN


def parse_margins(texts: Sequence[str], metrics: Collection[str]) -> dict[str, Margin]:
    """Read margins as they are given on the command line.

    Parameters
    ----------
    texts
        ``METRIC=VALUE`` or ``METRIC=PERCENT%``, each; the metric is a column name or the
        beginning of some up to a hyphen.
    metrics
        Column names that there are.

    Returns
    -------
    dict
        Margin by name.

    Raises
    ------
    IqbenchError
        For a metric that is not there, or a value that is no finite number from 0 on.
    """
    margins: dict[str, Margin] = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        if not any(_fits(name, metric) for metric in metrics):
            raise unknown_name("metric of --margin", name or text, metrics)
        number = _number(value.strip().removesuffix("%"))
        if number is None:
            raise IqbenchError(
                f"--margin {text} has no number from 0 on",
                hint="Write it as psnr=0.1 in the metric's unit, or as lpips-alex=2%",
            )
        relative = value.strip().endswith("%")
        margins[name] = Margin(number / 100 if relative else number, relative, "as given")
    return margins


def _fits(name: str, metric: str) -> bool:
    return metric == name or metric.startswith(f"{name}-")


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
