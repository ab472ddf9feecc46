"""Store the features that a run extracts: those of every image, or moments of sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from iqbench.errors import IqbenchError
from iqbench.metrics._feature_sets import Moments
from iqbench.metrics._registry import Request
from iqbench.metrics._sets import Features, FeatureSet, SetMetric
from iqbench.results.extractor_files import FeatureKey
from iqbench.results.features import FeatureTable
from iqbench.results.moments import ImageSet, MomentTable, SetName, StoredMoments, set_digest

__all__ = [
    "WAITING",
    "FeatureKeeper",
    "Keeper",
    "KeptFeatures",
    "MomentKeeper",
    "NoFiles",
    "Rereading",
    "check_moments",
]

KeptFeatures = Literal["keep", "moments"]
"""What is kept of sets of images: the features of every image, or the moments of each set."""

WAITING = 256
"""Images whose features wait to be written, or to be merged into moments."""

_SAVED_EVERY = 50_000
"""Number of images after which the moments of a growing set are written, in case of a kill."""


def check_moments(requests: Iterable[Request], why: str, *, keep: str) -> None:
    """Refuse metrics for which moments are not enough.

    Parameters
    ----------
    requests
        All columns.
    why
        Moments are kept.
    keep
        The option that keeps features.

    Raises
    ------
    IqbenchError
        If a metric needs the features of every image.
    """
    needing = [
        item.column.name
        for item in requests
        if isinstance(item.metric, SetMetric) and item.metric.needs_features
    ]
    if needing:
        names, verb = ", ".join(needing), "need" if len(needing) > 1 else "needs"
        raise IqbenchError(
            f"{names} {verb} the features of every image: {why}",
            hint=f"Leave {names} out, or give {keep} (Inception's take 8 KB an image)",
        )


class Rereading(Protocol):
    """Extracts features of a run's images from their files once more."""

    def has(self, keys: Iterable[FeatureKey]) -> bool:
        """Say whether the files of all these images are there."""
        ...

    def extract(self, keys: Sequence[FeatureKey]) -> Iterator[Features]:
        """Decode each image again, and give its features.

        Raises
        ------
        IqbenchError
            If one has none.
        """
        ...


class NoFiles:
    """There are no files, only what is stored."""

    def has(self, keys: Iterable[FeatureKey]) -> bool:
        """Have none."""
        return not any(True for _ in keys)

    def extract(self, keys: Sequence[FeatureKey]) -> Iterator[Features]:
        """Refuse."""
        raise IqbenchError(
            f"neither features nor moments are stored of {len(keys)} images",
            hint="Run iqbench evaluate again: it computes what is missing",
        )


class Keeper(Protocol):
    """Keeps what an extractor gives.

    Attributes
    ----------
    known
        The images that need not be extracted.
    """

    known: set[FeatureKey]

    def take(self, features: Mapping[FeatureKey, Features]) -> None:
        """Take features that were extracted: now they are known."""
        ...

    def join(self, name: SetName, key: FeatureKey, *, once: bool = False) -> None:
        """Enter an image whose features are known into a set.

        Parameters
        ----------
        name
            Of the set.
        key
            The image.
        once
            Whether it is entered many times, and counts once.
        """
        ...

    def flush(self) -> None:
        """Write what waits."""
        ...

    def merge(self) -> None:
        """Merge small files."""
        ...

    def read(self, images: ImageSet, again: Rereading) -> FeatureSet | Moments:
        """Return what a distance is computed from.

        Parameters
        ----------
        images
            The set; its images are known.
        again
            Extracts features that turn out to be needed once more.
        """
        ...

    def tidy(self) -> None:
        """Delete what earlier runs wrote of the sets that were read, and nothing needs now."""
        ...


class FeatureKeeper:
    """Keeps the features of every image, once for all sets.

    Parameters
    ----------
    root
        The results folder.
    signature
        Of the extractor.
    recompute
        Whether what is stored counts for nothing.
    """

    def __init__(self, root: Path, signature: str, *, recompute: bool = False) -> None:
        self._table = FeatureTable(root, signature)
        self.known = set() if recompute else self._table.keys()
        self._waiting: dict[FeatureKey, Features] = {}

    def take(self, features: Mapping[FeatureKey, Features]) -> None:
        """Take features that were extracted, each once."""
        for key, rows in features.items():
            if key not in self.known:
                self.known.add(key)
                self._waiting[key] = rows
        if len(self._waiting) >= WAITING:
            self.flush()

    def join(self, name: SetName, key: FeatureKey, *, once: bool = False) -> None:
        """Do nothing: features serve any set."""

    def flush(self) -> None:
        """Write what waits."""
        self._table.write(self._waiting)
        self._waiting.clear()

    def merge(self) -> None:
        """Merge small parts."""
        self._table.merge()

    def read(self, images: ImageSet, again: Rereading) -> FeatureSet:
        """Find the features of a set."""
        return self._table.select(images.keys)

    def tidy(self) -> None:
        """Delete nothing: features serve any set."""


@dataclass
class _GrowingSet:
    """Images of a set that were seen so far, and their moments.

    Attributes
    ----------
    keys
        The images.
    once
        Those that count once.
    moments
        Of all but those that wait; None where all wait.
    waiting
        Features that are to be merged in.
    unsaved
        How many images are in no part.
    part
        What was written of it.
    """

    keys: list[FeatureKey] = field(default_factory=list)
    once: set[FeatureKey] = field(default_factory=set)
    moments: Moments | None = None
    waiting: list[Features] = field(default_factory=list)
    unsaved: int = 0
    part: StoredMoments | None = None

    def settle(self) -> Moments | None:
        """Merge what waits."""
        self.moments = Moments.merged([self.moments, Moments.of_images(self.waiting)])
        self.waiting = []
        return self.moments


class MomentKeeper:
    """Keeps the moments of each set, and features of no image: memory and disk are bounded.

    A set whose images changed is extracted again, but for those of its images of which features or
    moments are stored without the changed ones.

    Parameters
    ----------
    root
        The results folder.
    signature
        Of the extractor.
    recompute
        Whether what is stored counts for nothing.
    """

    def __init__(self, root: Path, signature: str, *, recompute: bool = False) -> None:
        self._table = MomentTable(root, signature)
        self._features = FeatureTable(root, signature)
        self._of_images = set() if recompute else self._features.keys()
        self._before = [] if recompute else self._table.sets()
        self.known = set(self._of_images)
        for one in self._before:
            self.known |= one.members().keys()
        self._taken: Mapping[FeatureKey, Features] = {}
        self._growing: dict[SetName, _GrowingSet] = {}
        self._needed: dict[SetName, set[Path]] = {}

    def take(self, features: Mapping[FeatureKey, Features]) -> None:
        """Take features that were extracted; those taken before are forgotten."""
        self.known |= features.keys()
        self._taken = features

    def join(self, name: SetName, key: FeatureKey, *, once: bool = False) -> None:
        """Merge an image whose features were taken last into the moments of a set."""
        growing = self._growing.setdefault(name, _GrowingSet())
        if key not in self._taken or key in growing.once:
            return  # moments with it are stored, or will be made when the set is read
        if once:
            growing.once.add(key)
        growing.keys.append(key)
        growing.waiting.append(self._taken[key])
        growing.unsaved += 1
        if len(growing.waiting) >= WAITING:
            growing.settle()
        if growing.unsaved >= _SAVED_EVERY:
            self._save(name, growing)

    def flush(self) -> None:
        """Write the moments that have grown."""
        for name, growing in self._growing.items():
            if growing.unsaved:
                self._save(name, growing)

    def _save(self, name: SetName, growing: _GrowingSet) -> None:
        moments, before = growing.settle(), growing.part
        assert moments is not None
        growing.part = self._write(ImageSet(name, growing.keys), moments)
        growing.unsaved = 0
        if before is not None:
            _delete(before.part)

    def _write(self, images: ImageSet, moments: Moments) -> StoredMoments:
        return self._table.write(images, moments.n, moments.mean, moments.scatter)

    def merge(self) -> None:
        """Merge nothing: moments merge when a set is read."""

    def read(self, images: ImageSet, again: Rereading) -> Moments:
        """Return the moments of a set, and store them under its name.

        Moments of some of its images are merged; what is left is read as features, or extracted
        again.
        """
        self.flush()
        digest = set_digest(images.keys)
        needed = self._needed.setdefault(images.name, set())
        stored = [*self._before, *(one.part for one in self._growing.values() if one.part)]
        with suppress(FileNotFoundError):
            for one in stored:
                if one.digest == digest:
                    needed.add(one.part)
                    return Moments(*one.read())
        found = self._assembled(images.keys, stored, again)
        written = self._write(images, found)
        needed.add(written.part)
        self._before.append(written)
        return found

    def _assembled(
        self, keys: Sequence[FeatureKey], stored: Sequence[StoredMoments], again: Rereading
    ) -> Moments:
        """Put the moments of a set together from what there is of its images."""
        left = Counter(keys)
        found: list[Moments | None] = []
        for one in sorted(stored, key=lambda one: -one.images):
            with suppress(FileNotFoundError):
                members = one.members()
                common, others = members & left, members - left
                if not common or others.total() * 2 > common.total() or not again.has(others):
                    continue
                moments = Moments(*one.read())
                if others:  # a set that lacks few images: take these out again
                    out = Moments.of_images(again.extract(list(others.elements())))
                    assert out is not None
                    moments = moments.without(out)
                found.append(moments)
                left -= common
        of_images = [key for key in left.elements() if key in self._of_images]
        if of_images:
            features = self._features.select(of_images)
            blocks = (rows for _, rows in features.blocks())
            found.append(Moments.of_blocks(blocks, features.length))
        rest = [key for key in left.elements() if key not in self._of_images]
        if rest:
            found.append(Moments.of_images(again.extract(rest)))
        merged = Moments.merged(found)
        assert merged is not None
        return merged

    def tidy(self) -> None:
        """Delete parts under the names that were read which no set was found in."""
        needed = set[Path]().union(*self._needed.values())
        for one in self._table.sets():
            if one.name in self._needed and one.part not in needed:
                _delete(one.part)
        self._growing.clear()


def _delete(part: Path) -> None:
    with suppress(OSError):
        part.unlink()
