"""An interruption before the command line is there."""

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
