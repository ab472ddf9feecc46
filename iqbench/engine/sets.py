"""Set-level metrics in a run: extract missing features, then compute the values of sets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, TypeAlias

from iqbench.engine.compute import Compute
from iqbench.engine.computed import ComputedSource
from iqbench.engine.kept_features import FeatureKeeper, Keeper, MomentKeeper
from iqbench.engine.plan import DatasetPlan
from iqbench.engine.reading import Output, header_of
from iqbench.engine.reference_sets import SetImage, SetImages
from iqbench.engine.resources import ExtractorWeights
from iqbench.engine.set_columns import SetColumn, distance_of, extract_features
from iqbench.errors import IqbenchError
from iqbench.forks import cached_property
from iqbench.images.picture import Picture
from iqbench.images.source import Source
from iqbench.metrics._sets import Features
from iqbench.results.extractor_files import FeatureKey
from iqbench.results.moments import ImageSet, SetName
from iqbench.results.schema import NOT_COMPUTED_YET, OPEN_MEMBERS, REFERENCES, SetRow
from iqbench.results.sets import write_reference_set

__all__ = [
    "FEW",
    "FeatureExtraction",
    "FoundFeatures",
    "ReferenceRead",
    "SetMember",
    "SetRun",
    "member_of",
]

FEW = 10_000
"""With fewer images, FID depends visibly on their number."""

FoundFeatures: TypeAlias = dict[str, dict[FeatureKey, Features]]
"""Signature of an extractor to the features that it extracted, by image."""


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
    seen_once
        Whether outputs without a file are always extracted, as they cannot be read once more.
    """

    columns: tuple[SetColumn, ...]
    known: Mapping[str, AbstractSet[FeatureKey]]
    compute: Compute
    with_set: bool = False
    weights: ExtractorWeights = field(default_factory=dict)
    seen_once: bool = False

    def lacking(self, output: Output) -> frozenset[str]:
        """Name the columns for which features of an output or its reference are missing."""
        member = member_of(output, with_set=self.with_set)
        return frozenset(
            one.name
            for one in self.columns
            if member is None
            or self._is_seen_once(output)
            or not member.keys <= self.known[one.features]
        )

    def _is_seen_once(self, output: Output) -> bool:
        return self.seen_once and isinstance(output.image.source, ComputedSource)

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
            always = self._is_seen_once(output)
            why = why or self._failure(one, member.output, seen, found, always=always)
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
        always = image.white is not None
        of_one = (
            (one, self._failure(one, key, picture, found, always=always)) for one in self.columns
        )
        errors = {one.name: f"{picture.name}: {why}" for one, why in of_one if why}
        return ReferenceRead(key, errors)

    def _failure(
        self,
        column: SetColumn,
        key: FeatureKey,
        picture: Picture,
        found: FoundFeatures,
        *,
        always: bool = False,
    ) -> str | None:
        """Extract features that are missing, or always; return why that failed."""
        mine = found.setdefault(column.features, {})
        if key in mine or (key in self.known[column.features] and not always):
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
    plan
        Of the dataset.
    columns
        The columns.
    root
        The results folder.
    recompute
        Whether features that are stored count for nothing.
    reference_set
        What outputs are compared with; None for their references.
    """

    def __init__(
        self,
        plan: DatasetPlan,
        columns: Sequence[SetColumn],
        root: Path,
        *,
        recompute: bool = False,
        reference_set: SetImages | None = None,
    ) -> None:
        self.columns = tuple(columns)
        self._plan = plan
        self._root = root
        self._reference_set = reference_set
        self._moments = plan.features == "moments"
        kind = MomentKeeper if self._moments else FeatureKeeper
        self._keepers: dict[str, Keeper] = {
            name: kind(root, name, recompute=recompute)
            for name in dict.fromkeys(one.features for one in columns)
        }
        self._members: dict[str, dict[str, list[SetMember]]] = {}
        self._references: list[FeatureKey] = []
        self._broken: dict[str, str] = {}

    @property
    def with_set(self) -> bool:
        """Whether outputs are compared with a reference set."""
        return self._reference_set is not None

    def extraction(self, compute: Compute) -> FeatureExtraction:
        """Return what extracts features; it learns of those that `take` keeps."""
        known = {name: keeper.known for name, keeper in self._keepers.items()}
        return FeatureExtraction(
            self.columns, known, compute, self.with_set, seen_once=self._moments
        )

    def missing_references(self) -> list[SetImage]:
        """Return the images of the reference set whose features are missing, or may be.

        Each of several shards has its share of them. An image of another shard's share is
        extracted only where its samples must tell what is white in it.
        """
        missing: list[SetImage] = []
        for image in () if self._reference_set is None else self._reference_set.images:
            peak = image.peak(self._plan.protocol)
            key = None if peak is None else FeatureKey(image.digest, peak)
            if key is None or (self._is_mine(image.digest) and not self._has(key)):
                missing.append(image)
            else:
                self._references.append(key)
        return missing

    def _is_mine(self, digest: str) -> bool:
        """Return whether an image of the reference set is in the share of this shard."""
        return self._plan.shard.has("reference set", digest)

    def _has(self, key: FeatureKey) -> bool:
        return all(key in one.known for one in self._keepers.values())

    def enter_reference(self, read: ReferenceRead) -> None:
        """Take an image into the reference set; without it, some columns have no value."""
        if read.key is not None:
            self._references.append(read.key)
            # Moments of shards merge only if no image is in two of them.
            for keeper in self._keepers.values() if self._is_mine(read.key.digest) else ():
                keeper.join(self._of_references, read.key)
        assert self._reference_set is not None
        for name, why in read.errors.items():
            where = f"reference set {self._reference_set.found.name}"
            self._broken.setdefault(name, f"{where}: {why}")

    def write_references(self) -> None:
        """Write which features are those of the reference set, if all its images have some."""
        found = self._reference_set
        if found is not None and len(self._references) == len(found.images):
            self._references.sort()
            write_reference_set(self._root, found.digest, self._references)

    @property
    def _of_references(self) -> SetName:
        """Name what outputs are compared with."""
        if self._reference_set is None:
            return SetName(self._plan.dataset.name, "")
        return SetName("", self._reference_set.digest)

    def take(self, features: FoundFeatures) -> None:
        """Take features that were extracted, before the images that they are of are kept."""
        for name, found in features.items():
            self._keepers[name].take(found)

    def keep(self, output: Output, without: Mapping[str, str] | None = None) -> None:
        """Take an output into the sets whose features are known.

        Parameters
        ----------
        output
            As it was read.
        without
            The columns for which no features could be extracted, if that was tried.
        """
        member = member_of(output, with_set=self.with_set) if self.columns else None
        if member is None:  # it has no reference, so no set either
            return
        of_method = SetName(self._plan.dataset.name, output.image.method)
        joined = set[str]()
        for one in self.columns:
            keeper = self._keepers[one.features]
            if one.name in (without or {}) or not member.keys <= keeper.known:
                continue
            members = self._members.setdefault(output.image.method, {})
            members.setdefault(one.name, []).append(member)
            if one.features not in joined:
                joined.add(one.features)
                keeper.join(of_method, member.output)
                if member.reference is not None:
                    keeper.join(self._of_references, member.reference, once=True)

    @contextmanager
    def flushed(self) -> Iterator[None]:
        """Write what waits, whatever ends the work."""
        try:
            yield
        finally:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        for keeper in self._keepers.values():
            keeper.flush()

    def close(
        self,
        expected: Mapping[str, int],
        members: Mapping[str, str],
        extract_again: ExtractAgain,
    ) -> dict[str, list[SetRow]]:
        """Compute the values of all methods' sets.

        Parameters
        ----------
        expected
            By method, how many outputs it should have.
        members
            By method, the digest of its images as they are in the tables.
        extract_again
            Extracts the features of images once more.

        Returns
        -------
        dict
            By method.
        """
        rows = self.leave_open(expected)
        for keeper in self._keepers.values():
            keeper.merge()
        files = _RunFiles(self.files, extract_again)
        closed = {
            method: [
                self._close(column, files, replace(row, error=None, members=members[method]))
                for column, row in zip(self.columns, of_method, strict=True)
            ]
            for method, of_method in rows.items()
        }
        for keeper in self._keepers.values():
            keeper.tidy()
        return closed

    def leave_open(self, expected: Mapping[str, int]) -> dict[str, list[SetRow]]:
        """Write what waits, and make the rows of all methods' sets without values.

        Parameters
        ----------
        expected
            By method, how many outputs it should have.

        Returns
        -------
        dict
            By method, one row per column.
        """
        self.flush()
        of = REFERENCES if self._reference_set is None else self._reference_set.found.name
        return {
            method: [
                SetRow(
                    dataset=self._plan.dataset.name,
                    method=method,
                    metric=one.name,
                    value=None,
                    standard_error=None,
                    error=NOT_COMPUTED_YET,
                    signature=one.signature,
                    protocol=self._plan.protocol.spec,
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

    def _close(self, column: SetColumn, files: _RunFiles, row: SetRow) -> SetRow:
        """Fill in the value of a set, or why there is none."""
        found = self._members.get(row.method, {}).get(column.name, [])
        found = sorted(found, key=lambda member: member.image)
        references = ImageSet(self._of_references, list(self._references_of(found)))
        outputs = ImageSet(SetName(row.dataset, row.method), [member.output for member in found])
        row = replace(row, n=len(found), reference_n=len(references.keys))
        if column.name in self._broken:
            return replace(row, error=self._broken[column.name])
        keeper, again = self._keepers[column.features], files.of(column.features)
        closed = distance_of(
            column,
            (len(references.keys), len(outputs.keys)),
            lambda: (keeper.read(references, again), keeper.read(outputs, again)),
            paired=self._reference_set is None,
        )
        return replace(row, **closed._asdict())

    def _references_of(self, members: Sequence[SetMember]) -> Iterable[FeatureKey]:
        """Say what outputs are compared with."""
        if self._reference_set is not None:
            return self._references
        references = [member.reference for member in members if member.reference is not None]
        # A reference that has several outputs of one method counts once.
        return dict.fromkeys(references) if self._plan.dataset.brings_outputs else references

    def files(self) -> dict[FeatureKey, Source]:
        """Find the files of all images of the sets, to read them once more."""
        found: dict[FeatureKey, Source] = {}
        if self._reference_set is not None:
            of_set = {image.digest: image.source for image in self._reference_set.images}
            found |= {key: of_set[key.digest] for key in self._references}
        members = {
            (method, member.image): member
            for method, columns in self._members.items()
            for of_column in columns.values()
            for member in of_column
        }
        for job in self._plan.jobs():
            for output in job.outputs:
                member = members.get((output.method, output.image))
                if member is None:
                    continue
                if not isinstance(output.source, ComputedSource):
                    found[member.output] = output.source
                if member.reference is not None and job.reference is not None:
                    found[member.reference] = job.reference
        return found


ExtractAgain: TypeAlias = "Callable[[Sequence[SetImage]], Iterable[ExtractedPart]]"
"""Extracts the features of images once more, in any order."""


class ExtractedPart(Protocol):
    """Some images of which features were extracted once more.

    Attributes
    ----------
    references
        What became of each.
    features
        By the signature of the extractor.
    """

    @property
    def references(self) -> tuple[ReferenceRead, ...]: ...

    @property
    def features(self) -> FoundFeatures: ...


class _RunFiles:
    """The files of a run's images.

    Parameters
    ----------
    find
        Gives the files.
    extract_again
        Extracts the features of images once more.
    """

    def __init__(
        self, find: Callable[[], Mapping[FeatureKey, Source]], extract_again: ExtractAgain
    ) -> None:
        self._find = find
        self.extract_again = extract_again

    @cached_property
    def files(self) -> Mapping[FeatureKey, Source]:
        """The files; looked for when the first is needed."""
        return self._find()

    def of(self, extractor: str) -> _ExtractorFiles:
        """Return what extracts features by one extractor."""
        return _ExtractorFiles(self, extractor)


@dataclass(frozen=True)
class _ExtractorFiles:
    """The files of a run's images, for one extractor; see `Rereading`."""

    run: _RunFiles
    extractor: str

    def has(self, keys: Iterable[FeatureKey]) -> bool:
        """Say whether the files of all these images are there."""
        return all(key in self.run.files for key in keys)

    def extract(self, keys: Sequence[FeatureKey]) -> Iterator[Features]:
        """Decode each image again, and give its features, in any order."""
        if not self.has(keys):
            raise IqbenchError(
                "some images of the set have no file that can be read again",
                hint="Give --recompute, or --features keep",
            )
        files = self.run.files
        images = [SetImage(files[key], key.digest, header_of(files[key]), key.peak) for key in keys]
        for part in self.run.extract_again(images):
            for read in part.references:
                if read.key is None or read.errors:
                    raise IqbenchError("; ".join(dict.fromkeys(read.errors.values())))
                yield part.features[self.extractor][read.key]
