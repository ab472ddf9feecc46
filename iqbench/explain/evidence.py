"""The values to explain: a metric's mean, its values of single images, or both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from iqbench.errors import IqbenchError
from iqbench.explain.names import Names
from iqbench.explain.value import Reported
from iqbench.explain.values_file import read_values

__all__ = ["Evidence", "Number", "Values", "gather"]

Number = str | float
Values = str | Path | Mapping[str, Number] | Mapping[str, Mapping[str, Number]]


@dataclass(frozen=True)
class Evidence:
    """What was reported of one metric.

    Attributes
    ----------
    metric
        As the user named it.
    mean
        Over all images, if it was given.
    images
        The values of single images, by the index of the pair.
    digits
        How the digits are read, if not as rounded to the nearest.
    """

    metric: str
    mean: Reported | None
    images: Mapping[int, Reported]
    digits: str = ""

    def __str__(self) -> str:
        """Describe it in a few words, e.g. ``ssim 0.7341`` or ``ssim of 100 images``."""
        parts = [self.mean.text] if self.mean else []
        if self.images:
            count = len(self.images)
            parts.append("of one image" if count == 1 else f"of {count} images")
        how = f" ({self.digits})" if self.digits else ""
        return f"{self.metric} {' and '.join(parts)}{how}"

    def readings(self) -> Iterator[Evidence]:
        """Yield the evidence as if all digits were cut off, then as if all were rounded up."""
        for halves, digits in ((1, "digits cut off"), (-1, "digits rounded up")):
            images = {place: item.shifted(halves) for place, item in self.images.items()}
            mean = self.mean and self.mean.shifted(halves)
            yield Evidence(self.metric, mean, images, digits)


def gather(
    metrics: Mapping[str, float],
    means: Sequence[Number | None],
    values: Values | None,
    pattern: str | None,
    names: Names,
) -> list[Evidence]:
    """Collect what was reported of each metric.

    Parameters
    ----------
    metrics
        The float32 error of each metric, see `Reported`.
    means
        The mean of each metric, or None.
    values
        Values of single images: a file (CSV, JSON, or lines of a log), a mapping of image to value,
        or of metric to such a mapping.
    pattern
        How a line of a log is read, see `read_values`.
    names
        Of the pairs.

    Raises
    ------
    IqbenchError
        If a metric has no value, no image has a given name, or a value is no number.
    """
    if pattern is not None and not isinstance(values, str | Path):
        raise IqbenchError("a pattern is for the lines of a file", hint="Give --values FILE too")
    by_metric: Mapping[str, Mapping[str, Number]] = {}
    where = "the values"
    if isinstance(values, str | Path):
        where = str(values)
        by_metric = read_values(Path(values), list(metrics), names, pattern)
    elif values is not None:
        by_metric = _of_mapping(values, list(metrics))
    found: list[Evidence] = []
    for (metric, float_error), mean in zip(metrics.items(), means, strict=True):
        images: dict[int, Reported] = {}
        for name, text in by_metric.get(metric, {}).items():
            place = names.find(name)
            if place is None:
                raise IqbenchError(
                    f"{where}: {name!r} is none of the {len(names)} images ({names.examples()})",
                    hint="Name images as their files, with or without suffix",
                )
            if place in images:
                raise IqbenchError(f"{where}: {names.images[place]!r} has two values of {metric}")
            images[place] = _parse(text, float_error, f"{where}, {metric} of {name!r}")
        if mean is None and not images:
            missing = f"{where} hold" + ("s" if isinstance(values, str | Path) else "")
            raise IqbenchError(
                f"no value of {metric} is given"
                if values is None
                else f"{missing} no value of {metric}",
                hint="Give --value X, or --values FILE with a value of each image",
            )
        reported = None if mean is None else Reported.parse(mean, float_error)
        found.append(Evidence(metric, reported, images))
    return found


def _parse(text: Number, float_error: float, where: str) -> Reported:
    """Read a value; the error says where it stands."""
    try:
        return Reported.parse(text, float_error)
    except IqbenchError as error:
        raise IqbenchError(
            f"{where}: {error.message}", hint="Leave out images without a value"
        ) from error


def _of_mapping(
    values: Mapping[str, Number] | Mapping[str, Mapping[str, Number]], metrics: Sequence[str]
) -> dict[str, dict[str, Number]]:
    """Return metric to image to value."""
    nested: dict[str, dict[str, Number]] = {}
    single: dict[str, Number] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            nested[name] = dict(value)
        else:
            single[name] = value
    if single and (nested or len(metrics) > 1):
        raise IqbenchError(
            "values of several metrics are given by metric: {metric: {image: value}}"
        )
    unknown = [name for name in nested if name not in metrics]
    if unknown:
        raise IqbenchError(f"values of {unknown[0]!r} are given, which is not among the metrics")
    return {metrics[0]: single} if single else nested
