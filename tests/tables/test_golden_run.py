"""The output of every reading command on a small results folder, in every format, is unchanged."""

from __future__ import annotations

import pytest
from golden_run import EXPECTED, parted, run_everything

HINT = "if that is meant, run python tests/tables/golden_run.py and look at the difference"


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    return dict(run_everything(tmp_path_factory.mktemp("golden")))


def test_the_commands_are_those_that_are_expected(told):
    assert sorted(told) == sorted(path.name for path in EXPECTED.iterdir())


@pytest.mark.parametrize("name", sorted(path.name for path in EXPECTED.iterdir()))
def test_a_command_prints_the_recorded_text(told, name):
    words, numbers = parted(told[name])
    expected_words, expected_numbers = parted((EXPECTED / name).read_text(encoding="utf-8"))
    assert words == expected_words, HINT
    assert numbers == pytest.approx(expected_numbers, rel=1e-6, abs=1e-9), HINT
