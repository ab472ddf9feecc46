"""Run the command line in this process, as a user would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from made_folders import Made

from iqbench.cli.main import main


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: object
    out: str
    err: str


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """Made folders in the working folder."""
    monkeypatch.chdir(tmp_path)
    return Made(Path())


@pytest.fixture
def iqbench(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run ``iqbench`` with arguments."""

    def run(*arguments: object) -> Ran:
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(exit_.value.code, captured.out, captured.err)

    return run


@pytest.fixture
def folders(made: Made) -> Made:
    """References, and two methods that have an output of each."""
    made.references()
    made.method("one")
    made.method("two")
    return made


@pytest.fixture
def scored(made: Made) -> Made:
    """Two methods, scored by a command that the tables remember."""
    return made.score_two()
