"""A short, seeded run of hostile YAML: each file is read, or refused in a sentence."""

from __future__ import annotations

import sys

import pytest
import yaml_files


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited by way of /proc")
def test_hostile_yaml_is_read_or_refused_in_a_sentence():
    wrong: list[str] = []
    counts = yaml_files.run(seed=4, count=8, tell=wrong.append)
    assert wrong == []
    assert counts["tried"] == counts["read"] + counts["refused"] == 8
    assert counts["refused"] > 3
