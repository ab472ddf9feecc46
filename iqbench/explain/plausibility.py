"""Rate how plausible a convention is, whatever its value."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from iqbench.explain.convention import FIELDS, OWN, Convention, encode
from iqbench.explain.prepared import AS_STORED, RESIZED

__all__ = ["KINDS", "LIMITS", "SINGLE", "rate", "unlikely"]

KINDS = ("named", "one change", "two changes", "a mistake", "two mistakes")
"""From the most plausible to the least.

A protocol or a library's default; one or two deliberate changes of it; a choice that nobody makes
on purpose; two such choices.
"""

LIMITS: Mapping[str, float] = MappingProxyType(
    dict(zip(KINDS, (0.1, 0.03, 0.02, 0.005, 1e-6), strict=True))
)
"""How many matches may be expected by chance, at most, if a match of a kind is to be believed.

The less plausible a kind is, the lower is its limit. Two mistakes at once are believed only if the
values of several images exclude chance.
"""

PLAIN_RANGES = (OWN, "0..255", "-1..1")
SINGLE = ("red", "green", "blue")
CROP = FIELDS.index("crop")


def unlikely(
    name: str, value: str | int, *, scales: Collection[int], mistakes: Collection[str]
) -> bool:
    """Tell whether nobody would choose a field's value on purpose.

    Parameters
    ----------
    name, value
        A field of a convention.
    scales
        Scales of super-resolution: other borders are unlikely.
    mistakes
        Forms of the metric that result from a mistake.
    """
    text = str(value)
    if name == "crop":
        return value != 0 and value not in scales
    odd = {
        "colour": text in SINGLE or "bgr" in text or text.endswith("-truncated"),
        "quantise": text == "truncated",
        "brightness": text != "own",
        "prepared": text != AS_STORED and text not in RESIZED,
        "range": text not in PLAIN_RANGES,
        "metric": text in mistakes,
    }
    return odd.get(name, False)


def rate(
    conventions: Sequence[Convention],
    anchors: Mapping[Convention, bool],
    *,
    scales: Collection[int],
    mistakes: Collection[str],
) -> list[tuple[str, int]]:
    """Rate each convention, and count the changes that it needs.

    Parameters
    ----------
    conventions
        The conventions to rate.
    anchors
        The conventions with a name, and whether each is a mistake.
    scales, mistakes
        As in `unlikely`.

    Returns
    -------
    list of tuple
        One of `KINDS`, and the number of changes from the anchor that makes it most plausible.
    """
    codes: dict[str | int, int] = {}
    rows = encode(conventions, codes)
    odd = {
        name: {
            value: unlikely(name, value, scales=scales, mistakes=mistakes)
            for value in {getattr(row, name) for row in conventions}
        }
        for name in FIELDS
    }
    wrong = np.array(
        [[odd[name][getattr(row, name)] for name in FIELDS] for row in conventions]
    ).reshape(rows.shape)
    best = np.full(len(rows), np.iinfo(np.int64).max)
    for start, own in zip(encode(list(anchors), codes), anchors.values(), strict=True):
        changed = rows != start
        count = changed.sum(1)
        # A border that only one library uses is unlikely together with any other change.
        carried = wrong[:, CROP] & ~changed[:, CROP] & (count > 0)
        mistaken = (changed & wrong).sum(1) + carried + int(own)
        rank = np.where(mistaken > 0, np.minimum(mistaken + 2, 4), np.minimum(count, 2))
        best = np.minimum(best, rank * (len(FIELDS) + 1) + count)
    ranks, counts = np.divmod(best, len(FIELDS) + 1)
    return [
        (KINDS[rank], count) for rank, count in zip(ranks.tolist(), counts.tolist(), strict=True)
    ]
