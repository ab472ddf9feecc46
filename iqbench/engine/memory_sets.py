"""Set-level metrics of images that are scored one by one; their features stay in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from iqbench.datasets.reference_set import reference_set
from iqbench.engine.compute import Compute
from iqbench.engine.fitting import FittedPair, fit_alone
from iqbench.engine.kept_features import KeptFeatures
from iqbench.engine.memory_features import (
    KeeperState,
    Member,
    MemoryFeatures,
    MemoryKeeper,
    MemoryMoments,
)
from iqbench.engine.reading import in_sentences
from iqbench.engine.record import Row
from iqbench.engine.reference_sets import decode_images, read_reference_set
from iqbench.engine.resources import Resources
from iqbench.engine.set_columns import (
    SetColumn,
    distance_of,
    extract_features,
    set_columns,
)
from iqbench.errors import IqbenchError
from iqbench.images.peaks import Peaks
from iqbench.images.picture import Picture
from iqbench.images.source import Alpha, Source
from iqbench.metrics._registry import Request
from iqbench.protocols.presets import Protocol
from iqbench.results.extractor_files import FeatureKey
from iqbench.results.schema import REFERENCES, SetRow
from iqbench.results.sets import digest_of_set

__all__ = ["FeatureState", "MemorySets", "ReferenceImages", "read_reference_images"]

IN_MEMORY = "(images in memory)"

FeatureState = dict[str, KeeperState]
"""Signature of the extractor to the state of its features."""


@dataclass(frozen=True)
class ReferenceImages:
    """The images of a reference set in memory, which all outputs are compared with.

    Attributes
    ----------
    name
        For tables.
    digest
        Names the set in signatures; of a folder, as `iqbench.evaluate` does.
    pictures
        With their peaks; they can be gone through once.
    """

    name: str
    digest: str
    pictures: Iterable[Picture]


def read_reference_images(
    given: str | os.PathLike[str] | Sequence[Source],
    protocol: Protocol,
    alpha: Alpha,
    compute: Compute,
) -> ReferenceImages:
    """Read the images of a reference set.

    Parameters
    ----------
    given
        A folder, or images.
    protocol, alpha
        How images are read.
    compute
        Its memory bounds what is read ahead of a folder.

    Raises
    ------
    IqbenchError
        If the folder holds no image, or an image cannot be read: a value of the others would be
        none of this set.
    """
    if isinstance(given, str | os.PathLike):
        workers = min(8, os.cpu_count() or 1)
        found = reference_set(given)
        images = read_reference_set(found, compute, workers, lambda _: None)
        decoded = decode_images(images.images, protocol, alpha, compute, workers)
        return ReferenceImages(found.name, images.digest, _sound(decoded))
    pictures = []
    for source in given:
        with in_sentences(source.name):
            pictures.append(fit_alone(source.read().decode(alpha=alpha), protocol).output)
    return ReferenceImages(IN_MEMORY, digest_of_set(one.digest for one in pictures), pictures)


def _sound(decoded: Iterable[tuple[object, Picture | IqbenchError]]) -> Iterator[Picture]:
    for _, picture in decoded:
        if isinstance(picture, IqbenchError):
            raise picture
        yield picture


class MemorySets:
    """The set-level columns of an evaluator, and the features that they are computed from.

    Parameters
    ----------
    requests
        All columns.
    protocol
        Gives the view.
    compute
        The device.
    resources
        Has the weights of the extractors.
    references
        What outputs are compared with; None for their own references.
    features
        Whether features of every image are kept, or moments.

    Attributes
    ----------
    columns
        Those with one value per set.

    Raises
    ------
    IqbenchError
        If an image of the reference set has no features, or there is a reference set and no column
        of sets, or moments are to be kept for none.
    """

    def __init__(
        self,
        requests: Iterable[Request],
        protocol: Protocol,
        compute: Compute,
        resources: Resources,
        references: ReferenceImages | None = None,
        *,
        features: KeptFeatures = "keep",
    ) -> None:
        digest = None if references is None else references.digest
        self._weights = resources.extractors
        self.columns = set_columns(requests, protocol, resources.digests, digest)
        if references is not None and not self.columns:
            raise IqbenchError(
                "a reference set is given, but no metric that compares sets",
                hint="Give one too, e.g. fid, or leave the reference set out",
            )
        if features == "moments" and not self.columns:
            raise IqbenchError(
                "moments are to be kept, and there is no metric that compares sets",
                hint='Give one too, e.g. fid, or leave features="moments" out',
            )
        # Features are the same whatever precision the networks of other metrics have.
        self._compute = replace(compute, precision="exact")
        kind = MemoryMoments if features == "moments" else MemoryFeatures
        self._keepers: dict[str, MemoryKeeper] = {one.features: kind() for one in self.columns}
        self._name: str | None = None
        self._set: list[FeatureKey] = []
        if references is not None:
            self._name = references.name
            self._set = sorted(self._observe_references(references))

    @property
    def needs_references(self) -> bool:
        """Whether outputs are compared with their own references."""
        return self._name is None

    def _observe_references(self, references: ReferenceImages) -> Iterator[FeatureKey]:
        """Extract the features of the reference set."""
        for picture in references.pictures:
            key = FeatureKey(picture.digest, picture.peak)
            for one in self.columns:
                why = self._observe(one, key, picture, reference=True)
                if why:
                    raise IqbenchError(
                        f"{one.name} cannot be computed with the reference set {references.name}: "
                        f"{picture.name}: {why}",
                        hint="Fix that image, or take it out of the reference set",
                    )
            for keeper in self._keepers.values():
                keeper.fix_reference(key)
                keeper.settle()
            yield key

    def _observe(
        self, column: SetColumn, key: FeatureKey, picture: Picture, *, reference: bool
    ) -> str | None:
        """Extract features that are missing; return why that failed."""
        keeper = self._keepers[column.features]
        if keeper.has(key):
            return None
        features = extract_features(column, picture, self._compute, self._weights)
        if isinstance(features, str):
            return features
        keeper.take(key, features, reference=reference)
        return None

    def observe(self, row: Row, pair: FittedPair) -> tuple[str | None, ...]:
        """Extract the features of an output, and of its reference, that are missing.

        Parameters
        ----------
        row
            With the digests and peaks of the two.
        pair
            Their pixels.

        Returns
        -------
        tuple
            For each column why there are none, or None.
        """
        _, reference, output = self._member(row)
        found = []
        for one in self.columns:
            why = None
            if reference is not None:
                why = self._observe(one, reference, pair.reference, reference=True)
            seen = replace(pair.output, peak=output.peak)
            found.append(why or self._observe(one, output, seen, reference=False))
        return tuple(found)

    def join(self, rows: Iterable[Row]) -> None:
        """Enter images that were observed since the last call into the sets, and no others."""
        for row in rows:
            known = zip(self.columns, row.set_errors, strict=True)
            for name in {one.features for one, error in known if error is None}:
                self._keepers[name].join(self._member(row))
        for keeper in self._keepers.values():
            keeper.settle()

    def _member(self, row: Row) -> Member:
        """Say which features an image needs: of its reference, and its own."""
        peaks = Peaks(*row.peaks)
        if not self.needs_references or row.reference_digest is None:
            return Member(row.image, None, FeatureKey(row.output_digest, peaks.own))
        reference = FeatureKey(row.reference_digest, peaks.reference)
        return Member(row.image, reference, FeatureKey(row.output_digest, peaks.output))

    def _members(self, place: int, rows: Iterable[Row]) -> list[Member]:
        """Return the images that have the features of a column, by id."""
        whole = (row for row in rows if row.set_errors[place] is None)
        return [self._member(row) for row in sorted(whole, key=lambda row: str(row.image))]

    def state(self, rows: Iterable[Row]) -> FeatureState:
        """Return what is kept of some images in types that `torch.save` keeps."""
        rows = list(rows)
        members: dict[str, list[Member]] = {}
        for place, one in enumerate(self.columns):
            members.setdefault(one.features, []).extend(self._members(place, rows))
        return {name: self._keepers[name].state(found) for name, found in members.items()}

    def load(self, states: Iterable[FeatureState]) -> None:
        """Take the features, or moments, of images that were scored elsewhere.

        Raises
        ------
        IqbenchError
            If these are none.
        """
        states = list(states)
        try:
            for name, keeper in self._keepers.items():
                keeper.load(state[name] for state in states)
        except (KeyError, AttributeError, TypeError, ValueError) as error:
            raise IqbenchError(
                "this is not a state of an Evaluator", hint="Give what its state_dict() returned"
            ) from error

    def forget(self) -> None:
        """Forget the outputs; features of references are kept for the next epoch."""
        for keeper in self._keepers.values():
            keeper.forget()

    def close(self, rows: Sequence[Row], states: Sequence[FeatureState] = ()) -> list[SetRow]:
        """Compute the values of all columns.

        Parameters
        ----------
        rows
            The images, each with an id.
        states
            Features that other ranks have.

        Returns
        -------
        list of SetRow
            Without the names of dataset, method and protocol, and the digest of the members.
        """
        return [self._close(place, rows, states) for place in range(len(self.columns))]

    def _close(self, place: int, rows: Sequence[Row], states: Sequence[FeatureState]) -> SetRow:
        column = self.columns[place]
        members = self._members(place, rows)
        references = [one.reference for one in members if one.reference is not None]
        if not self.needs_references:
            references = self._set
        keeper = self._keepers[column.features]
        closed = distance_of(
            column,
            (len(references), len(members)),
            lambda: keeper.read(members, [state[column.features] for state in states]),
            paired=self.needs_references,
        )
        return SetRow(
            dataset="",
            method="",
            metric=column.name,
            value=closed.value,
            standard_error=closed.standard_error,
            error=closed.error,
            signature=column.signature,
            protocol="",
            n=len(members),
            expected=len(rows),
            members="",
            reference_set=self._name or REFERENCES,
            reference_n=len(references),
            replicates=closed.replicates,
        )
