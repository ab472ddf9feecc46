"""Features of images in memory, for an evaluator: all of them, or their moments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import torch

from iqbench.engine.kept_features import WAITING
from iqbench.errors import IqbenchError
from iqbench.metrics._feature_sets import ArrayFeatures, Moments
from iqbench.metrics._sets import Features, FeatureSet
from iqbench.results.extractor_files import FeatureKey

__all__ = ["KeeperState", "Member", "MemoryFeatures", "MemoryKeeper", "MemoryMoments"]

KeeperState: TypeAlias = dict[str, Any]
"""What a keeper has, in types that `torch.save` keeps and `torch.load` reads safely."""

Sides: TypeAlias = tuple["FeatureSet | Moments", "FeatureSet | Moments"]
"""What a distance is computed from: of the references, and of the outputs."""


class Member(NamedTuple):
    """An image of a set: its id, if it has one, and which features are those of its files.

    ``reference`` is None where outputs are compared with a reference set.
    """

    image: str | None
    reference: FeatureKey | None
    output: FeatureKey


class MemoryKeeper(Protocol):
    """Keeps what one extractor gives."""

    def has(self, key: FeatureKey) -> bool:
        """Tell whether an image need not be extracted."""
        ...

    def take(self, key: FeatureKey, features: Features, *, reference: bool) -> None:
        """Take features that were extracted: of a reference, or of an output."""
        ...

    def join(self, member: Member) -> None:
        """Enter an image whose features were taken last into the sets."""
        ...

    def settle(self) -> None:
        """Forget what was taken and did not join, where that serves nothing else."""
        ...

    def fix_reference(self, key: FeatureKey) -> None:
        """Compare all outputs with an image, whose features were taken last, and those before."""
        ...

    def forget(self) -> None:
        """Forget the outputs."""
        ...

    def state(self, members: Iterable[Member]) -> KeeperState:
        """Return what is kept of some images."""
        ...

    def load(self, states: Iterable[KeeperState]) -> None:
        """Take what keepers of the same kind had; nothing is here yet."""
        ...

    def read(self, members: Sequence[Member], states: Sequence[KeeperState]) -> Sides:
        """Return what a distance is computed from.

        Parameters
        ----------
        members
            The images, by id.
        states
            What all processes have, this one included; nothing where it is alone.
        """
        ...


class MemoryFeatures:
    """Keeps the features of every image: those of outputs until they are forgotten."""

    def __init__(self) -> None:
        self._outputs: dict[FeatureKey, Features] = {}
        self._references: dict[FeatureKey, Features] = {}
        self._fixed: list[FeatureKey] = []

    def has(self, key: FeatureKey) -> bool:
        """Tell whether the features of an image are kept."""
        return key in self._outputs or key in self._references

    def take(self, key: FeatureKey, features: Features, *, reference: bool) -> None:
        """Keep features."""
        (self._references if reference else self._outputs)[key] = features

    def join(self, member: Member) -> None:
        """Do nothing: features serve any set."""

    def settle(self) -> None:
        """Forget nothing: features serve any set."""

    def fix_reference(self, key: FeatureKey) -> None:
        """Compare all outputs with an image, and those before."""
        self._fixed.append(key)

    def forget(self) -> None:
        """Forget the outputs; the features of references are kept for the next epoch."""
        self._outputs = {}

    def state(self, members: Iterable[Member]) -> KeeperState:
        """Return the features of some images, by digest and peak."""
        keys = (key for member in members for key in (member.reference, member.output))
        return {_text(key): torch.from_numpy(self._find(key)) for key in keys if key is not None}

    def load(self, states: Iterable[KeeperState]) -> None:
        """Take features."""
        for state in states:
            for text, features in state.items():
                digest, _, peak = text.rpartition("/")
                self._outputs[FeatureKey(digest, int(peak))] = features.numpy()

    def read(self, members: Sequence[Member], states: Sequence[KeeperState]) -> Sides:
        """Find features, here and in what other processes have."""
        references = sorted(self._fixed)
        if not references:
            references = [one.reference for one in members if one.reference is not None]
        outputs = [one.output for one in members]
        return self._array(references, states), self._array(outputs, states)

    def _array(self, keys: Iterable[FeatureKey], states: Sequence[KeeperState]) -> ArrayFeatures:
        found = [self._find(key, states) for key in keys]
        images = np.repeat(np.arange(len(found)), [len(rows) for rows in found])
        return ArrayFeatures(np.concatenate(found), images)

    def _find(self, key: FeatureKey, states: Sequence[KeeperState] = ()) -> Features:
        for known in (self._outputs, self._references):
            if key in known:
                return known[key]
        text = _text(key)
        found: Features = next(known[text] for known in states if text in known).numpy()
        return found


def _text(key: FeatureKey) -> str:
    return f"{key.digest}/{key.peak}"


@dataclass(frozen=True)
class _Part:
    """Images that are in the sets together, and the moments of both sides.

    ``references`` is None where outputs are compared with a reference set.
    """

    images: list[str | None]
    references: Moments | None
    outputs: Moments

    def merge(self, other: _Part) -> _Part:
        references = Moments.merged([self.references, other.references])
        return _Part(self.images + other.images, references, self.outputs.merge(other.outputs))

    def state(self) -> KeeperState:
        sides = {"references": self.references, "outputs": self.outputs}
        return {
            "images": self.images,
            **{name: None if one is None else _moments_state(one) for name, one in sides.items()},
        }

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> _Part:
        references = state["references"]
        return cls(
            list(state["images"]),
            None if references is None else _moments_of_state(references),
            _moments_of_state(state["outputs"]),
        )


class _Waiting(NamedTuple):
    """An image whose features are to be merged in."""

    image: str | None
    references: Features | None
    outputs: Features


def _part_of(waiting: Sequence[_Waiting]) -> _Part:
    """Merge the features of images, at least one."""
    outputs = Moments.of_images(one.outputs for one in waiting)
    assert outputs is not None
    references = [one.references for one in waiting if one.references is not None]
    return _Part([one.image for one in waiting], Moments.of_images(references), outputs)


class MemoryMoments:
    """Keeps the moments of both sets, and the features of the latest images alone.

    Memory is bounded, whatever the number of images. The latest ones are not merged at once, since
    `torch.utils.data.DistributedSampler` repeats images of other processes at the end: these can
    still be left out then.
    """

    def __init__(self) -> None:
        self._taken: dict[FeatureKey, Features] = {}
        self._waiting: list[_Waiting] = []
        self._parts: list[_Part] = []
        self._fixed: Moments | None = None
        self._fixed_waiting: list[Features] = []

    def has(self, key: FeatureKey) -> bool:
        """Tell whether the features of an image wait to join."""
        return key in self._taken

    def take(self, key: FeatureKey, features: Features, *, reference: bool) -> None:
        """Hold features until `settle`."""
        self._taken[key] = features

    def join(self, member: Member) -> None:
        """Enter an image into both sets."""
        reference = None if member.reference is None else self._taken[member.reference]
        self._waiting.append(_Waiting(member.image, reference, self._taken[member.output]))
        if len(self._waiting) >= 2 * WAITING:
            self._merge(self._waiting[:WAITING])
            del self._waiting[:WAITING]

    def _merge(self, waiting: Sequence[_Waiting]) -> None:
        """Merge images into the moments."""
        new = _part_of(waiting)
        self._parts.append(self._parts.pop().merge(new) if self._parts else new)

    def settle(self) -> None:
        """Forget what was taken and did not join."""
        self._taken = {}

    def fix_reference(self, key: FeatureKey) -> None:
        """Compare all outputs with an image, and those before."""
        self._fixed_waiting.append(self._taken[key])
        if len(self._fixed_waiting) >= WAITING:
            self._fixed = self._fixed_references()
            self._fixed_waiting = []

    def _fixed_references(self) -> Moments | None:
        return Moments.merged([self._fixed, Moments.of_images(self._fixed_waiting)])

    def forget(self) -> None:
        """Forget all but the moments of a reference set."""
        self._waiting, self._parts = [], []

    def state(self, members: Iterable[Member]) -> KeeperState:
        """Return moments, with the images that they are of, and what waits."""
        return {
            "parts": [one.state() for one in self._parts],
            "waiting": [
                [one.image, *(None if x is None else torch.from_numpy(x) for x in one[1:])]
                for one in self._waiting
            ],
        }

    def load(self, states: Iterable[KeeperState]) -> None:
        """Take moments, and what waits."""
        for state in states:
            self._parts += [_Part.of_state(part) for part in state["parts"]]
            self._waiting += [_waiting_of_state(*one) for one in state["waiting"]]

    def read(self, members: Sequence[Member], states: Sequence[KeeperState]) -> Sides:
        """Merge the moments of all processes, each image once.

        Raises
        ------
        IqbenchError
            If an image is in moments of several processes.
        """
        everyone = self
        if states:
            everyone = MemoryMoments()
            everyone.load(states)
        parts = everyone._distinct()
        counted = sum(len(part.images) for part in parts)
        references = [part.references for part in parts]
        outputs = Moments.merged(part.outputs for part in parts)
        first = self._fixed_references() or Moments.merged(references)
        if first is None or outputs is None or counted != len(members):
            raise IqbenchError(
                f"moments are of {counted} images, and the set has {len(members)}",
                hint='Give features="keep", which keeps the features of every image',
            )
        return first, outputs

    def _distinct(self) -> list[_Part]:
        """Return parts without a common image, those that wait as the last one."""
        known: set[str] = set()
        parts: list[_Part] = []
        for part in self._parts:
            named = {image for image in part.images if image is not None}
            if named & known:
                if len(named) == len(part.images) and named <= known:
                    continue  # all of it came before
                raise IqbenchError(
                    f"image {min(named & known)!r} was scored more than once by different "
                    "processes, and moments cannot leave it out",
                    hint='Give features="keep", or score each image in one process',
                )
            known |= named
            parts.append(part)
        waiting = []
        for one in self._waiting:
            if one.image is None or one.image not in known:
                waiting.append(one)
                if one.image is not None:
                    known.add(one.image)
        return [*parts, _part_of(waiting)] if waiting else parts


def _moments_state(moments: Moments) -> KeeperState:
    mean, scatter = torch.from_numpy(moments.mean), torch.from_numpy(moments.scatter)
    return {"n": moments.n, "mean": mean, "scatter": scatter}


def _moments_of_state(state: Mapping[str, Any]) -> Moments:
    return Moments(state["n"], state["mean"].numpy(), state["scatter"].numpy())


def _waiting_of_state(
    image: str | None, references: torch.Tensor | None, outputs: torch.Tensor
) -> _Waiting:
    return _Waiting(image, None if references is None else references.numpy(), outputs.numpy())
