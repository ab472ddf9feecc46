"""Set-level metrics in a run: extract what is missing, then close the sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from iqbench.engine.compute import Compute
from iqbench.engine.reading import Output
from iqbench.engine.signatures import DIGITS
from iqbench.errors import IqbenchError
from iqbench.images.peaks import Peaks
from iqbench.images.picture import Picture
from iqbench.metrics._registry import Request
from iqbench.metrics._sets import Extractor, Features, SetMetric
from iqbench.protocols.presets import Protocol
from iqbench.protocols.view import View
from iqbench.results.features import FeatureKey, FeatureTable
from iqbench.results.schema import SetRow
from iqbench.results.signature import signature

__all__ = ["FEW", "SetColumn", "SetRun", "image_requests", "set_columns"]

FEW = 10_000
"""With fewer images, FID depends visibly on their number."""

_WAITING = 256
"""Images whose features wait to be written."""

_WHITE = (255, 65535)


def image_requests(requests: Iterable[Request]) -> tuple[Request, ...]:
    """Return the columns that have one value an image."""
    return tuple(item for item in requests if item.metric.scope == "image")


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


def set_columns(requests: Iterable[Request], protocol: Protocol) -> tuple[SetColumn, ...]:
    """Find the set-level columns of a run, and the weights that they need.

    Raises
    ------
    IqbenchError
        If weights are missing and cannot be fetched.
    """
    digests: dict[Extractor, str] = {}
    found = []
    for item in requests:
        metric = item.metric
        if not isinstance(metric, SetMetric):
            continue
        extractor = metric.extractor
        if extractor not in digests:
            weights = extractor.weights()
            digests[extractor] = f"{weights.network}:{weights.digest[:DIGITS]}"
        view = protocol.view(metric.role, metric.name)
        seen = {"view": str(view), "weights": digests[extractor]}
        features = signature({**dict(extractor.options), **seen})
        fields = {"metric": metric.name, "version": str(metric.version)}
        fields |= dict(item.column.options)
        fields["protocol"] = f"{protocol.spec}/{protocol.version}"
        text = signature({**fields, **seen, "set": "references of the outputs"})
        found.append(SetColumn(item.column.name, metric, view, features, text))
    return tuple(found)


@dataclass(frozen=True)
class _Member:
    """An image of a set: its id, and which features are those of its two files."""

    image: str
    reference: FeatureKey
    output: FeatureKey


class SetRun:
    """The set-level columns of one dataset in a run.

    Parameters
    ----------
    columns
        The columns.
    root
        The results folder.
    compute
        The device.
    recompute
        Whether features that are stored count for nothing.
    shared
        Whether a reference may have several outputs of one method: it counts once.
    """

    def __init__(
        self,
        columns: Sequence[SetColumn],
        root: Path,
        compute: Compute,
        *,
        recompute: bool = False,
        shared: bool = False,
    ) -> None:
        self.columns = tuple(columns)
        self._shared = shared
        # Features are the same whatever precision the networks of other metrics have.
        self._compute = replace(compute, precision="exact")
        self._tables = {one.features: FeatureTable(root, one.features) for one in columns}
        self._known = {
            name: set() if recompute else table.keys() for name, table in self._tables.items()
        }
        self._waiting: dict[str, dict[FeatureKey, Features]] = {name: {} for name in self._tables}
        self._members: dict[str, dict[str, list[_Member]]] = {}

    def lacking(self, output: Output) -> frozenset[str]:
        """Name the columns for which features of an output or its reference are missing."""
        member = _member(output)
        if member is None:
            return frozenset(one.name for one in self.columns)
        wanted = {member.reference, member.output}
        return frozenset(one.name for one in self.columns if wanted - self._known[one.features])

    def observe(self, output: Output, reference: Picture, picture: Picture) -> dict[str, str]:
        """Extract the features of an output and its reference that are missing.

        Returns
        -------
        dict
            Of the columns for which that failed, why.
        """
        member = _member(output)
        assert member is not None
        errors = {}
        for one in self.columns:
            try:
                self._extract(one, member.reference, reference)
                self._extract(one, member.output, picture)
            except IqbenchError as error:
                errors[one.name] = str(error)
            else:
                self._join(one, output, member)
        return errors

    def keep(self, output: Output) -> None:
        """Take an output into the sets whose features are known already."""
        member = _member(output)
        if member is None:  # it has no reference, so no set either
            return
        for one in self.columns:
            self._join(one, output, member)

    def _join(self, column: SetColumn, output: Output, member: _Member) -> None:
        of_method = self._members.setdefault(output.image.method, {})
        of_method.setdefault(column.name, []).append(member)

    def _extract(self, column: SetColumn, key: FeatureKey, picture: Picture) -> None:
        known, waiting = self._known[column.features], self._waiting[column.features]
        if key in known:
            return
        window = column.view.window(picture.height, picture.width)
        with self._compute.active():
            rows = slice(0, window.height)
            seen = column.view.band(picture, rows, self._compute.device)
            waiting[key] = column.metric.extractor.extract(seen)
        known.add(key)
        if len(waiting) >= _WAITING:
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
        self.flush()
        for table in self._tables.values():
            table.merge()
        return {
            method: [
                self._close(
                    one,
                    SetRow(
                        dataset=dataset,
                        method=method,
                        metric=one.name,
                        value=None,
                        standard_error=None,
                        error=None,
                        signature=one.signature,
                        protocol=protocol,
                        n=0,
                        expected=number,
                        members=members[method],
                    ),
                )
                for one in self.columns
            ]
            for method, number in expected.items()
        }

    def _close(self, column: SetColumn, row: SetRow) -> SetRow:
        """Fill in the value of a set, or why there is none."""
        found = self._members.get(row.method, {}).get(column.name, [])
        found = sorted(found, key=lambda member: member.image)
        value = error = standard_error = None
        try:
            if len(found) < 2:
                raise IqbenchError(f"{column.name} needs at least 2 images, not {len(found)}")
            table = self._tables[column.features]
            references = [member.reference for member in found]
            if self._shared:
                references = list(dict.fromkeys(references))
            reference = table.read(references)
            output = table.read([member.output for member in found])
            paired = len(reference) == len(output)
            distance = column.metric.distance(reference, output, paired=paired)
            value = distance.value
            if distance.standard_error == distance.standard_error:
                standard_error = distance.standard_error
        except IqbenchError as problem:
            error = problem.message
        return replace(row, value=value, standard_error=standard_error, error=error, n=len(found))


def _member(output: Output) -> _Member | None:
    """Say which features an output needs; None while it is not known what is white in it."""
    peaks: Peaks | None = output.peaks
    if peaks is None or output.reference_digest is None or output.digest is None:
        return None
    return _Member(
        output.image.image,
        _key(output.reference_digest, peaks.reference),
        _key(output.digest, peaks.output),
    )


def _key(digest: str, peak: int) -> FeatureKey:
    return FeatureKey(digest, 0 if peak in _WHITE else peak)
