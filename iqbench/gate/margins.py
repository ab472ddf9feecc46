"""Margins: the smallest difference of means, or of one image, that matters in practice."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from iqbench.columns import Margin
from iqbench.errors import IqbenchError, unknown_name
from iqbench.results.schema import ColumnInfo
from iqbench.results.selector import Keys, Selector, refusal, split_assignment

__all__ = [
    "IMAGE_FACTOR",
    "NO_MARGIN",
    "OTHER_MARGIN",
    "image_margin_of",
    "margin_of",
    "parse_image_margins",
    "parse_margins",
    "refuse_unused",
]

IMAGE_FACTOR = 20
"""The default image margin, in units of the margin of the mean."""

_FORMS = ("psnr=0.1 in the metric's unit", "lpips-alex=2% of the baseline's value")

NO_MARGIN = "none"
"""The text that switches off the image margin."""


OTHER_MARGIN = Margin(0.01, relative=True, reason="nothing is known of the metric's scale")
"""The margin of a metric that states none."""


def margin_of(
    metric: str,
    info: ColumnInfo,
    given: Mapping[str, Margin] | None = None,
    *,
    signature: str = "",
) -> Margin:
    """Find the margin of a metric.

    Parameters
    ----------
    metric
        Column name.
    info
        The description of the column.
    given
        Margins that override that of the metric, by selector (see `iqbench.results.selector`) or
        by the beginning of a column name.
    signature
        The signature of the column.

    Returns
    -------
    Margin
        The given one with the longest matching name; else the metric's own, or `OTHER_MARGIN`.
    """
    fitting = [name for name in given or {} if _fits(name, metric, signature)]
    if given and fitting:
        return given[max(fitting, key=len)]
    return info.margin or OTHER_MARGIN


def image_margin_of(
    metric: str,
    info: ColumnInfo,
    given: Mapping[str, Margin | None] | None = None,
    margins: Mapping[str, Margin] | None = None,
    *,
    signature: str = "",
) -> Margin | None:
    """Find the margin of a single image in a metric.

    Parameters
    ----------
    metric
        Column name.
    info
        The description of the column.
    given
        Image margins, named as for `margin_of`; None switches the limit off.
    margins
        The given margins of the mean, as for `margin_of`.
    signature
        The signature of the column.

    Returns
    -------
    Margin or None
        The given one with the longest matching name; else `IMAGE_FACTOR` times the margin of the
        mean. If that was given as 0, the metric's own margin is used instead.
    """
    fitting = [name for name in given or {} if _fits(name, metric, signature)]
    if given and fitting:
        return given[max(fitting, key=len)]
    margin = margin_of(metric, info, margins, signature=signature)
    if not margin.value:
        margin = margin_of(metric, info)
    return replace(margin, value=IMAGE_FACTOR * margin.value)


def parse_margins(
    texts: Sequence[str], metrics: Collection[str], option: str = "--margin"
) -> dict[str, Margin]:
    """Parse margins of the command line.

    Parameters
    ----------
    texts
        Each ``METRIC=VALUE`` or ``METRIC=PERCENT%``; the metric is a column name, or the beginning
        of column names up to a hyphen.
    metrics
        The existing column names.
    option
        The name of the option in messages.

    Returns
    -------
    dict
        Margin by name.

    Raises
    ------
    IqbenchError
        If a metric does not exist, or a value is not a finite number of at least 0.
    """
    margins: dict[str, Margin] = {}
    for text in texts:
        name, value = _named(text, metrics, option)
        margins[name] = _margin(text, value, option)
    return margins


def parse_image_margins(
    texts: Sequence[str], metrics: Collection[str], option: str = "--image-margin"
) -> dict[str, Margin | None]:
    """Parse image margins of the command line.

    Parameters
    ----------
    texts
        As for `parse_margins`; also ``METRIC=none``, which switches off the limit of a metric, and
        ``none``, which switches off the limits of all other metrics.
    metrics
        The existing column names.
    option
        The name of the option in messages.

    Returns
    -------
    dict
        Margin by name; None for no limit.

    Raises
    ------
    IqbenchError
        As for `parse_margins`.
    """
    named: dict[str, Margin | None] = {}
    forms = (*_FORMS, "psnr=none for no limit")
    for text in texts:
        if text.strip() != NO_MARGIN:
            name, value = _named(text, metrics, option)
            named[name] = None if value == NO_MARGIN else _margin(text, value, option, forms)
    if all(text.strip() != NO_MARGIN for text in texts):
        return named
    unnamed = [metric for metric in metrics if not any(_fits(name, metric) for name in named)]
    return {**named, **dict.fromkeys(unnamed, None)}


def _named(text: str, metrics: Collection[str], option: str) -> tuple[str, str]:
    """Split ``METRIC=VALUE``."""
    name, value = split_assignment(text)
    if not any(_fits(Selector.of(name).metric, metric) for metric in metrics):
        raise unknown_name(f"metric of {option}", name or text, metrics)
    return name, value


def _margin(text: str, value: str, option: str, forms: Sequence[str] = _FORMS) -> Margin:
    number = _number(value.removesuffix("%"))
    if number is None:
        raise IqbenchError(
            f"{option} {text} has no number of at least 0",
            hint=f"Write it as {', '.join(forms)}",
        )
    relative = value.endswith("%")
    return Margin(number / 100 if relative else number, relative, "as given")


def refuse_unused(given: Collection[str], known: Collection[Keys]) -> None:
    """Raise an error for margins of columns that are not compared.

    Raises
    ------
    IqbenchError
        If a selector with brackets matches none of the known columns. The error names the columns.
    """
    for name in given:
        selector = Selector.of(name)
        if selector.said and not any(_fits(name, *keys) for keys in known):
            raise refusal(selector, known, "metric of a margin")


def _fits(name: str, metric: str, signature: str = "") -> bool:
    selector = Selector.of(name)
    if metric != selector.metric and not metric.startswith(f"{selector.metric}-"):
        return False
    return not selector.said or Selector(metric, selector.said).fits(metric, signature)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
