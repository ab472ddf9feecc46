"""Set-level metrics in a run: extract what is missing, then close the sets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from iqbench.engine.compute import Compute
from iqbench.engine.observations import reason_of
from iqbench.engine.reading import Output
from iqbench.engine.reference_sets import SetImage, SetImages
from iqbench.engine.resources import ExtractorWeights
from iqbench.engine.signatures import DIGITS, with_peak
from iqbench.errors import IqbenchError
from iqbench.images.picture import Picture
from iqbench.metrics._base import Metric
from iqbench.metrics._registry import Request, blamed_on
from iqbench.metrics._sets import Features, FeatureSet, SetMetric
from iqbench.protocols.presets import Protocol
from iqbench.protocols.view import View
from iqbench.results.features import FeatureKey, FeatureTable
from iqbench.results.schema import NOT_COMPUTED_YET, OPEN_MEMBERS, REFERENCES, SetRow
from iqbench.results.sets import write_reference_set
from iqbench.results.signature import signature

__all__ = [
    "FEW",
    "ClosedSet",
    "FeatureExtraction",
    "FoundFeatures",
    "ReferenceRead",
    "SetColumn",
    "SetMember",
    "SetRun",
    "distance_of",
    "extract_features",
    "member_of",
    "set_columns",
]

FEW = 10_000
"""With fewer images, FID depends visibly on their number."""

_WAITING = 256
"""Images whose features wait to be written."""

_OWN_PEAKS = (None, 255, 65535)


@dataclass(frozen=True)
class SetColumn:
    """A column with one value a set.

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
        with compute.active():
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
    references: Sequence[FeatureKey],
    outputs: Sequence[FeatureKey],
    read: Callable[[Sequence[FeatureKey]], FeatureSet],
    *,
    paired: bool,
) -> ClosedSet:
    """Close two sets of images.

    Parameters
    ----------
    column
        Which distance.
    references, outputs
        The images.
    read
        Gives the features of images.
    paired
        Whether outputs are compared with their own references.
    """
    try:
        if min(len(outputs), len(references)) < 2:
            raise IqbenchError(
                f"{column.name} needs at least 2 images a set: there are {len(outputs)} outputs "
                f"and {len(references)} references"
            )
        paired = paired and len(references) == len(outputs)
        distance = column.metric.distance(read(references), read(outputs), paired=paired)
    except IqbenchError as problem:
        return ClosedSet(None, None, problem.message)
    except Exception as problem:  # a metric's own code, which may be another package's
        return ClosedSet(None, None, reason_of(column.metric, problem))
    known = distance.standard_error == distance.standard_error
    error = distance.standard_error if known else None
    return ClosedSet(distance.value, error, None, distance.replicates or None)


FoundFeatures: TypeAlias = dict[str, dict[FeatureKey, Features]]
"""By the signature of their extractor: features that were extracted, by image."""


@dataclass(frozen=True)
class SetMember:
    """An image of a set: its id, and which features are those of its files.

    ``reference`` is None where outputs are compared with a reference set.
    """

    image: str
    reference: FeatureKey | None
    output: FeatureKey

    @property
    def keys(self) -> set[FeatureKey]:
        """The features that are needed."""
        return {self.output} if self.reference is None else {self.reference, self.output}


def member_of(output: Output, *, with_set: bool) -> SetMember | None:
    """Say which features an output needs; None while it is not known what is white in it.

    Parameters
    ----------
    output
        As it was read.
    with_set
        Whether it is compared with a reference set, in place of its reference.
    """
    if output.peaks is None or output.digest is None:
        return None
    image = output.image.image
    if with_set:
        return SetMember(image, None, FeatureKey(output.digest, output.peaks.own))
    if output.reference_digest is None:
        return None
    of_output = FeatureKey(output.digest, output.peaks.output)
    of_reference = FeatureKey(output.reference_digest, output.peaks.reference)
    return SetMember(image, of_reference, of_output)


@dataclass(frozen=True)
class ReferenceRead:
    """What became of an image of a reference set.

    Attributes
    ----------
    key
        Which features are its own; None where it could not be decoded.
    errors
        By column, why it has no features.
    """

    key: FeatureKey | None
    errors: Mapping[str, str]


@dataclass(frozen=True)
class FeatureExtraction:
    """Extracts the features that are missing, and keeps nothing: what is known is given.

    Attributes
    ----------
    columns
        The set-level columns of a dataset.
    known
        By the signature of the extractor, which images have features.
    compute
        The device.
    with_set
        Whether outputs are compared with a reference set.
    weights
        Of each extractor; whoever extracts has them.
    """

    columns: tuple[SetColumn, ...]
    known: Mapping[str, AbstractSet[FeatureKey]]
    compute: Compute
    with_set: bool = False
    weights: ExtractorWeights = field(default_factory=dict)

    def lacking(self, output: Output) -> frozenset[str]:
        """Name the columns for which features of an output or its reference are missing."""
        member = member_of(output, with_set=self.with_set)
        return frozenset(
            one.name
            for one in self.columns
            if member is None or not member.keys <= self.known[one.features]
        )

    def of_output(
        self, output: Output, reference: Picture | None, picture: Picture, found: FoundFeatures
    ) -> dict[str, str]:
        """Extract the features of an output and its reference that are missing.

        Parameters
        ----------
        output
            Whose features.
        reference
            Its reference; None where it has none, or none that fits.
        picture
            Its pixels.
        found
            What was extracted for this unit of work; more is added.

        Returns
        -------
        dict
            Of the columns for which that failed, why.
        """
        if not self.columns:
            return {}
        member = member_of(output, with_set=self.with_set)
        if member is None or (member.reference is not None and reference is None):
            return {one.name: output.unfit or "no reference" for one in self.columns}
        errors = {}
        for one in self.columns:
            why = None
            if member.reference is not None and reference is not None:
                why = self._failure(one, member.reference, reference, found)
            seen = replace(picture, peak=member.output.peak)
            why = why or self._failure(one, member.output, seen, found)
            if why:
                errors[one.name] = why
        return errors

    def of_reference(
        self, image: SetImage, picture: Picture | IqbenchError, found: FoundFeatures
    ) -> ReferenceRead:
        """Extract the features of an image of a reference set that are missing."""
        if isinstance(picture, IqbenchError):
            return ReferenceRead(None, {one.name: str(picture) for one in self.columns})
        key = FeatureKey(image.digest, picture.peak)
        of_one = ((one, self._failure(one, key, picture, found)) for one in self.columns)
        errors = {one.name: f"{picture.name}: {why}" for one, why in of_one if why}
        return ReferenceRead(key, errors)

    def _failure(
        self, column: SetColumn, key: FeatureKey, picture: Picture, found: FoundFeatures
    ) -> str | None:
        """Extract features that are missing; return why that failed."""
        mine = found.setdefault(column.features, {})
        if key in mine or key in self.known[column.features]:
            return None
        # Features are the same whatever precision the networks of other metrics have.
        compute = replace(self.compute, precision="exact")
        features = extract_features(column, picture, compute, self.weights)
        if isinstance(features, str):
            return features
        mine[key] = features
        return None


class SetRun:
    """The set-level columns of one dataset in a run.

    Parameters
    ----------
    columns
        The columns.
    root
        The results folder.
    recompute
        Whether features that are stored count for nothing.
    shared
        Whether a reference may have several outputs of one method: it counts once.
    reference_set
        What outputs are compared with; None for their references.
    """

    def __init__(
        self,
        columns: Sequence[SetColumn],
        root: Path,
        *,
        recompute: bool = False,
        shared: bool = False,
        reference_set: SetImages | None = None,
    ) -> None:
        self.columns = tuple(columns)
        self._root = root
        self._shared = shared
        self._reference_set = reference_set
        self._tables = {one.features: FeatureTable(root, one.features) for one in columns}
        self.known: dict[str, set[FeatureKey]] = {
            name: set() if recompute else table.keys() for name, table in self._tables.items()
        }
        self._waiting: dict[str, dict[FeatureKey, Features]] = {name: {} for name in self._tables}
        self._members: dict[str, dict[str, list[SetMember]]] = {}
        self._references: list[FeatureKey] = []
        self._broken: dict[str, str] = {}

    @property
    def with_set(self) -> bool:
        """Whether outputs are compared with a reference set."""
        return self._reference_set is not None

    def extraction(self, compute: Compute) -> FeatureExtraction:
        """Return what extracts features; it learns of those that `take` keeps."""
        return FeatureExtraction(self.columns, self.known, compute, self.with_set)

    def missing_references(self, protocol: Protocol) -> list[SetImage]:
        """Return the images of the reference set whose features are missing, or may be."""
        missing: list[SetImage] = []
        for image in () if self._reference_set is None else self._reference_set.images:
            peak = image.peak(protocol)
            key = None if peak is None else FeatureKey(image.digest, peak)
            if key is None or any(key not in known for known in self.known.values()):
                missing.append(image)
            else:
                self._references.append(key)
        return missing

    def enter_reference(self, read: ReferenceRead) -> None:
        """Take an image into the reference set; without it, some columns have no value."""
        if read.key is not None:
            self._references.append(read.key)
        assert self._reference_set is not None
        for name, why in read.errors.items():
            where = f"reference set {self._reference_set.found.name}"
            self._broken.setdefault(name, f"{where}: {why}")

    def write_references(self) -> None:
        """Write which features are those of the reference set."""
        if self._reference_set is not None:
            self._references.sort()
            write_reference_set(self._root, self._reference_set.digest, self._references)

    def take(self, features: FoundFeatures) -> None:
        """Keep features that were extracted, each once."""
        for name, found in features.items():
            waiting, known = self._waiting[name], self.known[name]
            for key, rows in found.items():
                if key not in known:
                    waiting[key] = rows
                    known.add(key)
            if len(waiting) >= _WAITING:
                self.flush()

    def keep(self, output: Output, without: Mapping[str, str] | None = None) -> None:
        """Take an output into the sets whose features are known.

        Parameters
        ----------
        output
            As it was read.
        without
            The columns for which no features could be extracted, if that was tried.
        """
        member = member_of(output, with_set=self.with_set)
        if member is None:  # it has no reference, so no set either
            return
        for one in self.columns:
            if one.name not in (without or {}) and member.keys <= self.known[one.features]:
                of_method = self._members.setdefault(output.image.method, {})
                of_method.setdefault(one.name, []).append(member)

    @contextmanager
    def flushed(self) -> Iterator[None]:
        """Write what waits, whatever ends the work."""
        try:
            yield
        finally:
            self.flush()

    def flush(self) -> None:
        """Write the features that wait."""
        for name, waiting in self._waiting.items():
            self._tables[name].write(waiting)
            waiting.clear()

    def close(
        self, dataset: str, protocol: str, expected: Mapping[str, int], members: Mapping[str, str]
    ) -> dict[str, list[SetRow]]:
        """Compute the values of all methods' sets.

        Parameters
        ----------
        dataset, protocol
            For the rows.
        expected
            By method, how many outputs it should have.
        members
            By method, the digest of its images as they are in the tables.

        Returns
        -------
        dict
            By method.
        """
        rows = self.leave_open(dataset, protocol, expected)
        for table in self._tables.values():
            table.merge()
        return {
            method: [
                self._close(column, replace(row, error=None, members=members[method]))
                for column, row in zip(self.columns, of_method, strict=True)
            ]
            for method, of_method in rows.items()
        }

    def leave_open(
        self, dataset: str, protocol: str, expected: Mapping[str, int]
    ) -> dict[str, list[SetRow]]:
        """Write the features that wait, and make the rows of all methods' sets without values.

        Parameters
        ----------
        dataset, protocol
            For the rows.
        expected
            By method, how many outputs it should have.

        Returns
        -------
        dict
            By method, one row a column.
        """
        self.flush()
        of = REFERENCES if self._reference_set is None else self._reference_set.found.name
        return {
            method: [
                SetRow(
                    dataset=dataset,
                    method=method,
                    metric=one.name,
                    value=None,
                    standard_error=None,
                    error=NOT_COMPUTED_YET,
                    signature=one.signature,
                    protocol=protocol,
                    n=0,
                    expected=number,
                    members=OPEN_MEMBERS,
                    reference_set=of,
                    reference_n=0,
                )
                for one in self.columns
            ]
            for method, number in expected.items()
        }

    def _close(self, column: SetColumn, row: SetRow) -> SetRow:
        """Fill in the value of a set, or why there is none."""
        found = self._members.get(row.method, {}).get(column.name, [])
        found = sorted(found, key=lambda member: member.image)
        references = list(self._references_of(found))
        row = replace(row, n=len(found), reference_n=len(references))
        if column.name in self._broken:
            return replace(row, error=self._broken[column.name])
        closed = distance_of(
            column,
            references,
            [member.output for member in found],
            self._tables[column.features].select,
            paired=self._reference_set is None,
        )
        return replace(row, **closed._asdict())

    def _references_of(self, members: Sequence[SetMember]) -> Iterable[FeatureKey]:
        """Say what outputs are compared with."""
        if self._reference_set is not None:
            return self._references
        references = [member.reference for member in members if member.reference is not None]
        return dict.fromkeys(references) if self._shared else references
