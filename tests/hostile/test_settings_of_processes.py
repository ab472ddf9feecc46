"""A short, seeded run of strange processes: the values are those of a process as it comes."""

from __future__ import annotations

import os

import numpy as np
import pytest
import settings
from children import Ended

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")


def test_values_are_right_in_strange_processes():
    wrong: list[str] = []
    counts = settings.run(seed=2, count=6, tell=wrong.append)
    assert wrong == []
    assert counts["tried"] == counts["right"] == 6


@pytest.mark.parametrize(
    ("ended", "why"),
    [
        (Ended(-11, "", ""), "ends with -11"),
        (Ended(0, "", "", {"psnr": [30.1]}), "psnr is [30.1], not [30.0]"),
        (Ended(0, "", "", {"psnr": [np.nan]}), "psnr is"),
        (Ended(0, "", "a line", {"psnr": [30.0]}), "prints 'a line'"),
    ],
)
def test_every_difference_is_seen(ended, why):
    sound = {"psnr": [30.0]}
    assert settings.difference(Ended(0, "", "", sound), sound) == ""
    assert why in settings.difference(ended, sound)
