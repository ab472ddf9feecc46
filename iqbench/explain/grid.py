"""Which conventions are tried, and how each is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np

from iqbench.explain.anchors import Anchor
from iqbench.explain.convention import (
    DEEP_RANGES,
    FIELDS,
    OF_EQUAL,
    OWN,
    Convention,
    encode,
    join_names,
    label,
)
from iqbench.explain.pair import Pair
from iqbench.explain.plausibility import KINDS, SINGLE, rate
from iqbench.explain.prepared import AS_STORED, JPEG, ORDERS, ORIENTATIONS

__all__ = ["Facts", "Grid", "Named"]

Values = Mapping[str, Sequence[str | int]]

ALONE = ("prepared",)
"""Fields that are changed alone: they have many values, and each is rare."""


@dataclass
class Facts:
    """Facts about all pairs, which tell what differences between conventions change nothing.

    Attributes
    ----------
    pairs
        How many there are.
    averaged
        Whether a mean over them was reported, not only values of single images.
    sizes
        Height and width of the references. If all are equal, so are their weights in a mean.
    colour, gray, deep, equal
        Whether any pair has three channels, gray that can be read in several ways, more than 8
        bits, or an output that equals its reference.
    touching
        The modcrops that cut off pixels of any pair.
    turned, sixteen
        Whether any pair has an EXIF orientation, or samples of 16 bits.
    reordered
        Those of `ORDERS` that pair other images.
    """

    pairs: int = 0
    averaged: bool = True
    sizes: frozenset[tuple[int, int]] = frozenset()
    colour: bool = False
    gray: bool = False
    deep: bool = False
    equal: bool = False
    touching: frozenset[int] = frozenset()
    turned: bool = False
    sixteen: bool = False
    reordered: frozenset[str] = frozenset()

    def add(self, pair: Pair, modcrops: Sequence[int]) -> None:
        """Take another pair into account."""
        size = pair.reference.height, pair.reference.width
        touching = {factor for factor in modcrops if not pair.untouched(factor)}
        self.unite(
            Facts(
                pairs=1,
                sizes=frozenset({size}),
                colour=pair.colour,
                gray=pair.gray,
                deep=pair.deep,
                equal=pair.equal,
                touching=frozenset(touching),
                turned=pair.turned,
                sixteen=pair.sixteen,
            )
        )

    def unite(self, other: Facts) -> None:
        """Take the pairs of another into account."""
        self.pairs += other.pairs
        self.sizes |= other.sizes
        self.colour |= other.colour
        self.gray |= other.gray
        self.deep |= other.deep
        self.equal |= other.equal
        self.touching |= other.touching
        self.turned |= other.turned
        self.sixteen |= other.sixteen
        self.reordered |= other.reordered

    def kinds(self) -> frozenset[str]:
        """Name what of the pairs makes some conventions differ."""
        named = {
            f"colour: {self.colour}": True,
            "gray": self.gray,
            "deep": self.deep,
            "turned": self.turned,
            "sixteen": self.sixteen,
            **{f"cut to a multiple of {factor}": True for factor in self.touching},
        }
        return frozenset(name for name, holds in named.items() if holds)

    def collapse(self, convention: Convention) -> Convention:
        """Return one form for all conventions that cannot differ on these pairs."""
        pool = convention.pool if self.pairs > 1 and self.averaged else "images"
        if pool in OF_EQUAL and not self.equal:
            pool = "images"
        colour, gray = self._colour(convention)
        return convention._replace(
            colour=colour,
            gray=gray,
            quantise=convention.quantise if self.deep else "stored",
            modcrop=convention.modcrop if convention.modcrop in self.touching else 1,
            prepared=convention.prepared if self._can_be(convention.prepared) else AS_STORED,
            range=OWN if convention.range in DEEP_RANGES and not self.sixteen else convention.range,
            pool="pooled" if pool == "mean-mse" and len(self.sizes) == 1 else pool,
        )

    def _can_be(self, prepared: str) -> bool:
        """Tell whether a preparation of the images can change a value."""
        if prepared in ORIENTATIONS:
            return self.turned
        if prepared in ORDERS:
            return prepared in self.reordered
        return not (prepared in JPEG and self.deep)

    def _colour(self, convention: Convention) -> tuple[str, str]:
        """Return colour and gray of `collapse`: only MATLAB's Y changes the values of gray."""
        studio = convention.colour.startswith("luma-studio")
        gray = convention.gray if studio and self.gray else "keep"
        if self.colour:
            return convention.colour, gray
        return (convention.colour.replace("-bgr", ""), gray) if gray == "expand" else ("rgb", gray)

    def distinct(self, values: Values) -> Values:
        """Leave out values that `collapse` would undo."""
        start = Convention("")
        return {
            name: [
                value
                for value in choices
                if value == getattr(start, name)
                or (name == "gray" and self.gray)
                or self.collapse(_with(start, name, value)) != start
            ]
            for name, choices in values.items()
        }


def _with(convention: Convention, name: str, value: str | int) -> Convention:
    settings: dict[str, Any] = {name: value}
    return convention._replace(**settings)


@dataclass(frozen=True)
class Named:
    """How a convention is named.

    Attributes
    ----------
    protocol
        The presets that equal it, or the nearest one and the differences.
    libraries
        The libraries' functions that compute it.
    single
        Those of them that compute in float32.
    departures
        The number of changes from the nearest preset; 0 if a library computes it.
    plausibility
        One of `iqbench.explain.plausibility.KINDS`.
    """

    protocol: str
    libraries: str
    single: str
    departures: int
    plausibility: str


class Grid:
    """The conventions within some changes of a preset or a library's default.

    Parameters
    ----------
    anchors
        From which changes are counted.
    values
        Field of a convention to the values that are tried.
    departures
        How many are allowed.
    affordable
        Tells of a convention without a name whether it is worth its computing time.
    facts
        Of the pairs.
    scales
        Of super-resolution, that are tried.
    mistakes
        Forms of the metric that result from a mistake.
    single
        Whether all implementations compute the metric in float32.
    """

    def __init__(
        self,
        anchors: Sequence[Anchor],
        values: Values,
        departures: int,
        affordable: Callable[[Convention], bool],
        facts: Facts,
        *,
        scales: Sequence[int] = (),
        mistakes: Sequence[str] = (),
        single: bool = False,
    ) -> None:
        self.facts = facts
        self.single = single
        self._anchors: dict[Convention, list[Anchor]] = {}
        for anchor in anchors:
            convention = facts.collapse(anchor.convention)
            if convention.pool == anchor.convention.pool or anchor.convention.pool not in OF_EQUAL:
                self._anchors.setdefault(convention, []).append(anchor)
        self._presets = {
            convention: next(item.name for item in named if item.preset)
            for convention, named in self._anchors.items()
            if any(item.preset for item in named)
        }
        tried = dict.fromkeys(self._anchors, True)
        seen = set(self._anchors)  # anchors have many neighbours in common
        values = facts.distinct(values)
        together = {name: values[name] for name in values if name not in ALONE}
        for start in self._anchors:
            for count in range(1, departures + 1):
                for changed in _changed(start, values if count == 1 else together, count):
                    if changed in seen:
                        continue
                    seen.add(changed)
                    convention = facts.collapse(changed)
                    if convention not in tried:
                        tried[convention] = affordable(convention)
        self.conventions = [convention for convention, worth in tried.items() if worth]
        mistaken = {
            convention: all(item.mistake for item in named)
            for convention, named in self._anchors.items()
        }
        rated = rate(self.conventions, mistaken, scales=scales, mistakes=mistakes)
        near = _nearest(self.conventions, list(self._presets))
        self._named = {
            convention: self._name(convention, kind, *nearest)
            for convention, (kind, _), nearest in zip(self.conventions, rated, near, strict=True)
        }

    @property
    def doubtful(self) -> frozenset[Convention]:
        """The conventions that are the least plausible."""
        return frozenset(
            item for item, named in self._named.items() if named.plausibility == KINDS[-1]
        )

    def stages(self) -> list[list[Convention]]:
        """Return the conventions of each kind, the most plausible first."""
        kinds: dict[str, list[Convention]] = {kind: [] for kind in KINDS}
        for convention in self.conventions:
            kinds[self._named[convention].plausibility].append(convention)
        return [conventions for conventions in kinds.values() if conventions]

    def name(self, convention: Convention) -> Named:
        """Name a convention by presets and libraries."""
        return self._named[convention]

    def _name(self, convention: Convention, kind: str, near: Convention, distance: int) -> Named:
        """Name a convention after the nearest preset, which is so many changes away."""
        named = self._anchors.get(convention, [])
        functions = [item for item in named if not item.preset]
        libraries = join_names(item.name for item in functions)
        single = join_names(item.name for item in functions if item.single)
        protocol = ", ".join(dict.fromkeys(item.name for item in named if item.preset))
        if protocol:
            return Named(protocol, libraries, single, 0, kind)
        changes = [
            label(name, getattr(convention, name))
            for name in convention.departures(near)
            if name != "metric"
        ]
        protocol = self._presets[near] + (f" but {', '.join(changes)}" if changes else "")
        return Named(protocol, libraries, single, 0 if libraries else distance, kind)


def _nearest(
    conventions: Sequence[Convention], presets: Sequence[Convention]
) -> list[tuple[Convention, int]]:
    """Return the preset with the fewest changes for each convention, and how many these are.

    A single channel counts as one more change, because nobody reports it.
    """
    codes: dict[str | int, int] = {}
    rows = encode(conventions, codes)
    counts = np.array([(rows != preset).sum(1) for preset in encode(presets, codes)])
    single = np.array([convention.colour in SINGLE for convention in conventions])
    near = counts.argmin(0)
    distances = counts.min(0) + single
    return [
        (presets[place], distance)
        for place, distance in zip(near.tolist(), distances.tolist(), strict=True)
    ]


def _changed(start: Convention, values: Values, count: int) -> Iterator[Convention]:
    """Yield the conventions that differ from one in so many fields."""
    for names in combinations(values, count):
        places = [FIELDS.index(name) for name in names]
        choices = [
            [value for value in values[name] if value != start[place]]
            for name, place in zip(names, places, strict=True)
        ]
        for chosen in product(*choices):
            row = list(start)
            for place, value in zip(places, chosen, strict=True):
                row[place] = value
            yield Convention._make(row)
