"""The output and exit codes of all other commands on small images are unchanged."""

from __future__ import annotations

import pytest
from golden_run import COMMANDS as READING
from golden_run import parted
from golden_scoring import COMMANDS, EXPECTED, run_everything

from iqbench.cli.main import COMMANDS as ALL_COMMANDS

HINT = "if that is meant, run python tests/tables/golden_scoring.py and look at the difference"


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    return dict(run_everything(tmp_path_factory.mktemp("golden")))


def test_every_command_has_a_golden_run():
    run = {arguments[0] for arguments in COMMANDS.values()}
    run |= {arguments[0] for arguments, _ in READING.values()} | {"export", "report"}
    assert set(ALL_COMMANDS) <= run


@pytest.mark.parametrize("name", [f"{name}.txt" for name in COMMANDS])
def test_a_command_prints_the_recorded_text(told, name):
    words, numbers = parted(told[name])
    expected_words, expected_numbers = parted((EXPECTED / name).read_text(encoding="utf-8"))
    assert words == expected_words, HINT
    assert numbers == pytest.approx(expected_numbers, rel=1e-5, abs=1e-9), HINT
