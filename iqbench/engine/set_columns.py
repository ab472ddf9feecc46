"""Columns with one value per set: their extractors, views of images, and closing formulas."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from iqbench.engine.compute import Compute
from iqbench.engine.observations import reason_of
from iqbench.engine.resources import ExtractorWeights
from iqbench.engine.signatures import DIGITS, with_peak
from iqbench.errors import IqbenchError, exits_as_errors
from iqbench.images.picture import Picture
from iqbench.metrics._base import Metric
from iqbench.metrics._registry import Request, blamed_on
from iqbench.metrics._sets import Features, FeatureSet, Moments, SetMetric
from iqbench.protocols.presets import Protocol
from iqbench.protocols.view import View
from iqbench.results.signature import signature

__all__ = ["ClosedSet", "SetColumn", "distance_of", "extract_features", "set_columns"]

_OWN_PEAKS = (None, 255, 65535)


@dataclass(frozen=True)
class SetColumn:
    """A column with one value per set.

    Attributes
    ----------
    name
        Of the column.
    metric
        Closes the set.
    view
        What the extractor sees of images.
    features
        Signature of the extractor, which names a table of features.
    signature
        Of the value.
    """

    name: str
    metric: SetMetric
    view: View
    features: str
    signature: str


def set_columns(
    requests: Iterable[Request],
    protocol: Protocol,
    digests: Mapping[str | Metric, str],
    reference_set: str | None = None,
) -> tuple[SetColumn, ...]:
    """Find the set-level columns of a run.

    Parameters
    ----------
    requests
        All columns.
    protocol
        Gives the view.
    digests
        Of weights, by metric; see `iqbench.engine.resources.Resources`.
    reference_set
        Digest of what outputs are compared with; None for their references.
    """
    found = []
    for item in requests:
        metric = item.metric
        if not isinstance(metric, SetMetric):
            continue
        with blamed_on(metric):
            extractor = metric.extractor
        view = protocol.view(metric.role, metric.name)
        seen = {"view": str(view)}
        if metric in digests:
            network, _, digest = digests[metric].rpartition(":")
            seen["weights"] = f"{network}:{digest[:DIGITS]}"
        features = signature({**dict(extractor.options), **seen})
        fields = {"metric": metric.name, "version": str(metric.version)}
        fields |= dict(item.column.options)
        fields["protocol"] = f"{protocol.spec}/{protocol.version}"
        text = signature({**fields, **seen, "set": reference_set or "references"})
        if protocol.peak not in _OWN_PEAKS:
            text = with_peak(text, str(protocol.peak))
        found.append(SetColumn(item.column.name, metric, view, features, text))
    return tuple(found)


def extract_features(
    column: SetColumn, picture: Picture, compute: Compute, weights: ExtractorWeights
) -> Features | str:
    """Return the features of an image, or why it has none."""
    extractor = column.metric.extractor
    try:
        window = column.view.window(picture.height, picture.width)
        with compute.active(), exits_as_errors():
            seen = column.view.band(picture, slice(0, window.height), compute.device)
            found = extractor.extract(seen, weights[extractor])
        if not np.isfinite(found).all():
            raise IqbenchError("its features are not finite")
        return found
    except IqbenchError as error:
        return str(error)
    except Exception as error:  # an extractor's own code, which may be another package's
        return reason_of(column.metric, error)


class ClosedSet(NamedTuple):
    """The value of a set and its uncertainty, or why there is none.

    The attributes are those of `iqbench.results.schema.SetRow`.
    """

    value: float | None
    standard_error: float | None
    error: str | None
    replicates: Sequence[float] | None = None


def distance_of(
    column: SetColumn,
    numbers: tuple[int, int],
    read: Callable[[], tuple[FeatureSet | Moments, FeatureSet | Moments]],
    *,
    paired: bool,
) -> ClosedSet:
    """Close two sets of images.

    Parameters
    ----------
    column
        Which distance.
    numbers
        How many references and outputs there are.
    read
        Gives the features of both sets, or the moments of both.
    paired
        Whether outputs are compared with their own references.
    """
    metric = column.metric
    try:
        if min(numbers) < 2:
            raise IqbenchError(
                f"{column.name} needs at least 2 images a set: there are {numbers[1]} outputs "
                f"and {numbers[0]} references"
            )
        first, second = read()
        if isinstance(first, Moments) and isinstance(second, Moments):
            if metric.needs_features:
                raise IqbenchError(
                    f"{column.name} needs the features of every image, and moments are stored",
                    hint="Run iqbench evaluate with --features keep",
                )
            with exits_as_errors():
                distance = metric.distance_of_moments(first, second)
        else:
            assert not isinstance(first, Moments)
            assert not isinstance(second, Moments)
            same = paired and numbers[0] == numbers[1]
            with exits_as_errors():
                distance = metric.distance(first, second, paired=same)
    except IqbenchError as problem:
        return ClosedSet(None, None, problem.message)
    except Exception as problem:  # a metric's own code, which may be another package's
        return ClosedSet(None, None, reason_of(metric, problem))
    known = distance.standard_error == distance.standard_error
    error = distance.standard_error if known else None
    return ClosedSet(distance.value, error, None, distance.replicates or None)
