"""Two sides of a check, and helpers that read its result."""

from __future__ import annotations

from typing import Any

import numpy as np
from made_sides import side

from iqbench.gate.check import Check, check
from iqbench.gate.matching import Scored

PSNR = ("set5", "edsr", "psnr")
SMALL = [30.0, 31.0, 32.0, 33.0, 34.0]
LARGE = [28 + 0.25 * number for number in range(30)]


def checked(baseline: Scored, candidate: Scored, **options: Any) -> Check:
    return check(baseline, candidate, **options)


def only(found: Check) -> dict[str, Any]:
    """The one row of a check."""
    (row,) = found.rows.to_dict("records")
    return row


def verdict(before: list[Any], after: list[Any], metric: str = "psnr", **options: Any) -> str:
    key = ("set5", "edsr", metric)
    return only(checked(side({key: before}), side({key: after}), **options))["verdict"]


def shifted(values: list[float], by: float) -> list[float]:
    return [value + by for value in values]


def jittered(values: list[float], amount: float, seed: int = 0) -> list[float]:
    noise = np.random.default_rng(seed).normal(0, amount, len(values))
    return list(np.asarray(values) + noise - noise.mean())
