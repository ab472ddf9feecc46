"""Set-level metrics of images that are scored one by one: features are kept in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from iqbench.datasets.reference_set import reference_set
from iqbench.engine.compute import Compute
from iqbench.engine.reading import FittedPair, fit_alone, in_sentences
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
from iqbench.metrics._feature_sets import ArrayFeatures
from iqbench.metrics._registry import Request
from iqbench.metrics._sets import Features
from iqbench.protocols.presets import Protocol
from iqbench.results.extractor_files import FeatureKey
from iqbench.results.moments import ImageSet, SetName
from iqbench.results.schema import REFERENCES, SetRow
from iqbench.results.sets import digest_of_set

__all__ = ["FeatureState", "MemorySets", "ReferenceImages", "read_reference_images"]

IN_MEMORY = "(images in memory)"

_UNNAMED = SetName("", "")

FeatureState = dict[str, dict[str, Tensor]]
"""By signature of the extractor, the features by digest and peak of the image."""


@dataclass(frozen=True)
class ReferenceImages:
    """What all outputs are compared with.

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

    Attributes
    ----------
    columns
        Those with one value a set.

    Raises
    ------
    IqbenchError
        If an image of the reference set has no features, or there is a reference set and no column
        of sets.
    """

    def __init__(
        self,
        requests: Iterable[Request],
        protocol: Protocol,
        compute: Compute,
        resources: Resources,
        references: ReferenceImages | None = None,
    ) -> None:
        digest = None if references is None else references.digest
        self._weights = resources.extractors
        self.columns = set_columns(requests, protocol, resources.digests, digest)
        if references is not None and not self.columns:
            raise IqbenchError(
                "a reference set is given, and no metric that compares sets",
                hint="Give one too, e.g. fid, or leave the reference set out",
            )
        # Features are the same whatever precision the networks of other metrics have.
        self._compute = replace(compute, precision="exact")
        self._outputs, self._references = self._nothing(), self._nothing()
        self._name: str | None = None
        self._set: list[FeatureKey] = []
        if references is not None:
            self._name = references.name
            self._set = sorted(self._observe_references(references))

    @property
    def needs_references(self) -> bool:
        """Whether outputs are compared with their own references."""
        return self._name is None

    def _nothing(self) -> dict[str, dict[FeatureKey, Features]]:
        return {one.features: {} for one in self.columns}

    def _observe_references(self, references: ReferenceImages) -> Iterator[FeatureKey]:
        """Extract the features of the reference set."""
        for picture in references.pictures:
            key = FeatureKey(picture.digest, picture.peak)
            for one in self.columns:
                why = self._observe(one, key, picture, self._references)
                if why:
                    raise IqbenchError(
                        f"{one.name} cannot be computed with the reference set {references.name}: "
                        f"{picture.name}: {why}",
                        hint="Mend that image, or take it out of the reference set",
                    )
            yield key

    def _observe(
        self,
        column: SetColumn,
        key: FeatureKey,
        picture: Picture,
        known: Mapping[str, dict[FeatureKey, Features]],
    ) -> str | None:
        """Extract features that are missing; return why that failed."""
        of_column = known[column.features]
        if key in of_column:
            return None
        features = extract_features(column, picture, self._compute, self._weights)
        if isinstance(features, str):
            return features
        of_column[key] = features
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
        reference, output = self._keys(row)
        found = []
        for one in self.columns:
            why = None
            if reference is not None:
                why = self._observe(one, reference, pair.reference, self._references)
            seen = replace(pair.output, peak=output.peak)
            found.append(why or self._observe(one, output, seen, self._outputs))
        return tuple(found)

    def _keys(self, row: Row) -> tuple[FeatureKey | None, FeatureKey]:
        """Say which features an image needs: of its reference, and its own."""
        peaks = Peaks(*row.peaks)
        if not self.needs_references or row.reference_digest is None:
            return None, FeatureKey(row.output_digest, peaks.own)
        reference = FeatureKey(row.reference_digest, peaks.reference)
        return reference, FeatureKey(row.output_digest, peaks.output)

    def _members(self, place: int, rows: Sequence[Row]) -> list[Row]:
        """Return the images that have the features of a column, by id."""
        whole = (row for row in rows if row.set_errors[place] is None)
        return sorted(whole, key=lambda row: str(row.image))

    def state(self, rows: Iterable[Row]) -> FeatureState:
        """Return the features of some images in types that `torch.save` keeps."""
        found: FeatureState = {one.features: {} for one in self.columns}
        rows = list(rows)
        for place, one in enumerate(self.columns):
            for row in self._members(place, rows):
                for key in filter(None, self._keys(row)):
                    features = self._outputs[one.features].get(key)
                    if features is None:
                        features = self._references[one.features][key]
                    found[one.features][_text(key)] = torch.from_numpy(features)
        return found

    def load(self, states: Iterable[FeatureState]) -> None:
        """Take the features of images that were scored elsewhere.

        Raises
        ------
        IqbenchError
            If these are none.
        """
        try:
            for state in states:
                for name, known in self._outputs.items():
                    for text, features in state[name].items():
                        digest, _, peak = text.rpartition("/")
                        known[FeatureKey(digest, int(peak))] = features.numpy()
        except (KeyError, AttributeError, ValueError) as error:
            raise IqbenchError(
                "this is no state of an Evaluator", hint="Give what its state_dict() returned"
            ) from error

    def forget(self) -> None:
        """Forget the outputs; the features of references are kept for the next epoch."""
        self._outputs = self._nothing()

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
        keys = [self._keys(row) for row in members]
        references = [key for key, _ in keys if key is not None]
        if not self.needs_references:
            references = self._set
        closed = distance_of(
            column,
            ImageSet(_UNNAMED, references),
            ImageSet(_UNNAMED, [key for _, key in keys]),
            partial(self._read, column, states),
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

    def _read(
        self, column: SetColumn, states: Sequence[FeatureState], asked: ImageSet
    ) -> ArrayFeatures:
        """Look up features, here and in what other ranks have."""
        here = self._outputs[column.features], self._references[column.features]
        there = [state[column.features] for state in states]

        def find(key: FeatureKey) -> Features:
            for known in here:
                if key in known:
                    return known[key]
            text = _text(key)
            found: Features = next(known[text] for known in there if text in known).numpy()
            return found

        found = [find(key) for key in asked.keys]
        images = np.repeat(np.arange(len(found)), [len(rows) for rows in found])
        return ArrayFeatures(np.concatenate(found), images)


def _text(key: FeatureKey) -> str:
    return f"{key.digest}/{key.peak}"
