"""Ways to compare names of references and outputs that differ in case, zeros or folders."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, product

from iqbench.datasets.files import composed, natural_key, split_suffix
from iqbench.errors import unknown_name

__all__ = ["WAYS", "Pairing", "check_ways", "compared", "pair_names"]

WAYS = {
    "case": "upper and lower case are the same",
    "numbers": "numbers are compared as numbers (0001 is 1)",
    "flat": "folders are left out or written into the name (s1/sharp/1 is s1_1)",
}
"""Description of what each way to match ignores when names are compared."""

_LEADING_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")
_SEPARATORS = re.compile(r"[-_. ]+")
_DEEPEST = 3
"""Deepest path in folders; if a file lies deeper, the first folders count as one."""

_LeftOut = frozenset[int]
"""Which folders of a path are left out, counted from the top."""


@dataclass(frozen=True)
class Pairing:
    """Which image has which output.

    Attributes
    ----------
    outputs
        Image to the name of its output, where there is exactly one and no other image claims it.
    doubts
        Image to the names among which its output may be, and the images that claim them, in words.
    used
        The names in either.
    """

    outputs: dict[str, str]
    doubts: dict[str, str]
    used: set[str]


def check_ways(words: str | Iterable[str]) -> frozenset[str]:
    """Read the ways to compare names: ``"numbers"``, ``"case,numbers"`` or several texts.

    Raises
    ------
    IqbenchError
        If one is unknown.
    """
    texts = [words] if isinstance(words, str) else words
    found = [word.strip() for text in texts for word in text.split(",")]
    for word in found:
        if word not in WAYS:
            raise unknown_name("way to match names", word, WAYS)
    return frozenset(found)


def compared(stem: str, ways: Collection[str]) -> str:
    """Return what is compared of a name without suffix, but for its folders."""
    stem = composed(stem)
    if "case" in ways:
        stem = stem.casefold()
    return _LEADING_ZEROS.sub("", stem) if "numbers" in ways else stem


def pair_names(stems: Mapping[str, str], names: Sequence[str], ways: Collection[str]) -> Pairing:
    """Pair images with outputs whose names are equal in what is compared.

    Which folders are left out is the same for all images and all outputs: the fewest that pair
    more than half of the images, or else those that pair most. Where two choices are equally good
    and differ in the pairs that they give, no image is paired.

    Parameters
    ----------
    stems
        Image to the path that its output should have, without suffix.
    names
        Paths of the outputs that there are.
    ways
        Some of `WAYS`.
    """
    ours = _Side(list(stems), list(stems.values()), ways)
    theirs = _Side(names, [split_suffix(name)[0] for name in names], ways)
    choices = sorted(product(ours.forms, theirs.forms), key=_left_out)
    counts = {choice: len(ours.single(choice[0]) & theirs.single(choice[1])) for choice in choices}
    most = max(counts.values())
    enough = min(most, len(stems) // 2 + 1)
    fitting = (choice for choice in choices if counts[choice] >= enough > 0)
    # Where nothing can be paired, what is claimed twice is named.
    clashing = (choice for choice in choices if _pairs(ours, theirs, choice).doubts)
    chosen = next(chain(fitting, clashing), choices[0])
    found = _pairs(ours, theirs, chosen)
    for other in choices:
        equal = _left_out(other) == _left_out(chosen) and counts[other] == counts[chosen] > 0
        if equal and _pairs(ours, theirs, other).outputs != found.outputs:
            why = "folders can be left out in two ways, which give different pairs"
            return Pairing({}, dict.fromkeys(stems, why), set())
    return found


def _left_out(choice: tuple[_LeftOut, _LeftOut]) -> int:
    return sum(map(len, choice))


class _Side:
    """The names of one side, by what is compared of them."""

    def __init__(self, names: Sequence[str], stems: Sequence[str], ways: Collection[str]) -> None:
        self.names = names
        parts = [_parts(compared(stem, ways)) for stem in stems]
        depth = max((len(part) - 1 for part in parts), default=0) if "flat" in ways else 0
        self.forms = [
            frozenset(left_out)
            for count in range(depth + 1)
            for left_out in combinations(range(depth), count)
        ]
        self._keys = {
            form: [_joined(part, form) if "flat" in ways else "/".join(part) for part in parts]
            for form in self.forms
        }
        self._single = {
            form: {key for key, count in Counter(keys).items() if count == 1}
            for form, keys in self._keys.items()
        }

    def single(self, form: _LeftOut) -> set[str]:
        """Return the keys that belong to one name only."""
        return self._single[form]

    def by_key(self, form: _LeftOut) -> dict[str, list[str]]:
        """Return the names of each key."""
        found: dict[str, list[str]] = {}
        for key, name in zip(self._keys[form], self.names, strict=True):
            found.setdefault(key, []).append(name)
        return found


def _parts(stem: str) -> list[str]:
    """Split a path into its folders, not too many of them, and its last part."""
    return stem.rsplit("/", _DEEPEST)


def _joined(parts: Sequence[str], left_out: _LeftOut) -> str:
    kept = [part for at, part in enumerate(parts[:-1]) if at not in left_out]
    return _SEPARATORS.sub("_", "_".join([*kept, parts[-1]]).replace("/", "_"))


def _pairs(ours: _Side, theirs: _Side, choice: tuple[_LeftOut, _LeftOut]) -> Pairing:
    """Pair by one choice of folders; name what is claimed twice."""
    found = Pairing({}, {}, set())
    claimed = theirs.by_key(choice[1])
    for key, images in ours.by_key(choice[0]).items():
        names = claimed.get(key, [])
        if len(images) == 1 and len(names) == 1:
            found.outputs[images[0]] = names[0]
        elif names:
            why = ", ".join(sorted(names, key=natural_key))
            if len(images) > 1:
                why += f", which could be that of {' or '.join(sorted(images, key=natural_key))}"
            found.doubts.update(dict.fromkeys(images, why))
        found.used.update(names)
    return found
