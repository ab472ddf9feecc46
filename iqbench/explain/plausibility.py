"""How plausible a convention is before its value is known."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from iqbench.explain.convention import FIELDS, OWN, Convention, encode
from iqbench.explain.prepared import AS_STORED, RESIZED

__all__ = ["KINDS", "LIMITS", "SINGLE", "rate", "unlikely"]

KINDS = ("named", "one change", "two changes", "a mistake", "two mistakes")
"""From the most plausible to the least.

A protocol or what a library does by default; one or two changes of it that somebody may have
chosen; a choice that nobody would make on purpose; two of those at once.
"""

LIMITS: Mapping[str, float] = MappingProxyType(
    dict(zip(KINDS, (0.1, 0.03, 0.02, 0.002, 1e-6), strict=True))
)
"""A match counts only if fewer matches than this are expected by chance among what is as plausible.

The less plausible a kind is, the less chance it may need. Two mistakes at once are believed only
where the values of several images leave no chance.
"""

PLAIN_RANGES = (OWN, "0..255", "-1..1")
SINGLE = ("red", "green", "blue")
CROP = FIELDS.index("crop")


def unlikely(
    name: str, value: str | int, *, scales: Collection[int], mistakes: Collection[str]
) -> bool:
    """Tell whether a field's value is one that nobody would choose on purpose.

    Parameters
    ----------
    name, value
        A field of a convention.
    scales
        Of super-resolution: other borders are unlikely.
    mistakes
        Forms of the metric that come of a mistake.
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
    """Say how plausible each convention is, and how many changes it needs.

    Parameters
    ----------
    conventions
        Any.
    anchors
        The conventions with a name, and whether what is named is a mistake.
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
        # A border that only its own library has is unlikely together with anything else.
        carried = wrong[:, CROP] & ~changed[:, CROP] & (count > 0)
        mistaken = (changed & wrong).sum(1) + carried + int(own)
        rank = np.where(mistaken > 0, np.minimum(mistaken + 2, 4), np.minimum(count, 2))
        best = np.minimum(best, rank * (len(FIELDS) + 1) + count)
    ranks, counts = np.divmod(best, len(FIELDS) + 1)
    return [
        (KINDS[rank], count) for rank, count in zip(ranks.tolist(), counts.tolist(), strict=True)
    ]
