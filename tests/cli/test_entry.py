"""The start and the end of the command line."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            raise KeyboardInterrupt
        return None

sys.meta_path.insert(0, Interrupt())
sys.argv = ["iqbench", "--version"]
from iqbench.cli.entry import main
main()
"""


@pytest.mark.parametrize("name", ["iqbench.cli.main", "click", "iqbench.document.text"])
def test_an_interruption_of_the_import_is_a_sentence(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(name=name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.splitlines() == ["error: interrupted"]


def test_the_command_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(name="")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("iqbench, version ")


ENDING = """
import atexit, os, sys
{before}
from iqbench.cli.entry import main

class Kept:
    def __del__(self, write=os.write):
        write(1, b"taken apart")

class Library:
    def find_spec(self, name, path=None, target=None):
        if name == "iqbench.cli.main":
            atexit.register(print, "a function at the end")
        return None

kept = Kept()
sys.meta_path.insert(0, Library())
sys.argv = ["iqbench", *{arguments!r}]
main()
"""


def ended(*arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    script = ENDING.format(arguments=arguments, before=before)
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--version"], 0), (["nonsense"], 2), (["evaluate", "--method", "nowhere"], 2)],
)
def test_the_end_keeps_the_exit_code_and_whatever_was_printed(
    arguments: list[str], code: int
) -> None:
    done = ended(*arguments)
    assert done.returncode == code
    assert bool(done.stderr) == bool(code)
    assert ("version" in done.stdout) == (not code)


def test_functions_that_were_registered_run_and_nothing_is_taken_apart() -> None:
    assert ended("--version").stdout.splitlines()[1:] == ["a function at the end"]


def test_a_process_with_functions_of_others_ends_as_python_ends_it() -> None:
    done = ended("--version", before='atexit.register(print, "a function of others")')
    assert done.stdout.splitlines()[1:] == [
        "a function at the end",
        "a function of others",
        "taken apart",
    ]


def test_a_traceback_has_the_exit_code_of_python() -> None:
    done = ended("--debug", "nonsense")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert "a function at the end" in done.stdout
