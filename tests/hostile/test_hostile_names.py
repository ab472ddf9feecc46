"""A short, seeded run of hostile names: scored with the right value, or refused by name."""

from __future__ import annotations

import os
import random

import names
import pytest


@pytest.mark.skipif(os.name == "nt", reason="Windows allows few of these names")
def test_what_has_a_hostile_name_is_scored_or_refused_by_name():
    wrong: list[str] = []
    counts = names.run(seed=1, count=6, tell=wrong.append)
    assert wrong == []
    assert counts["tried"] == counts["scored"] + counts["refused"] == 6
    assert counts["scored"] > 3


def test_names_are_made_again_by_their_number():
    chances = [random.Random("5/3") for _ in range(2)]
    assert names.hostile_name(chances[0]) == names.hostile_name(chances[1])
