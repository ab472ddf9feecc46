"""What an import may load: torch and pandas are imported when they are needed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "torchvision", "pandas", "pydantic", "cv2", "scipy", "skimage")


def modules_after(code: str) -> dict[str, list[str]]:
    """Run code in a fresh interpreter; it calls ``note(label)`` to list the modules so far."""
    program = f"""
import json, sys
seen = {{}}
def note(label):
    seen[label] = sorted(sys.modules)
{code}
print()
print(json.dumps(seen))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def light() -> dict[str, list[str]]:
    return modules_after(
        """
import iqbench
iqbench.__version__
dir(iqbench)
note("import iqbench")
from iqbench.cli.main import main
for command in ([], ["leaderboard"], ["evaluate"], ["measure"], ["demo"], ["metrics"], ["weights"]):
    try:
        main([*command, "--help"])
    except SystemExit as leaving:
        assert leaving.code == 0
    note(" ".join(["iqbench", *command, "--help"]))
"""
    )


def test_importing_iqbench_imports_nothing_heavy(light):
    assert not set(HEAVY) & set(light["import iqbench"])


def test_help_imports_nothing_heavy(light):
    assert len(light) == 8
    for label, modules in light.items():
        assert not set(HEAVY) & set(modules), label


def test_tables_need_no_torch():
    """The rooms that read and show tables work on a machine without it."""
    found = modules_after(
        """
import pkgutil
from importlib import import_module
tables = ("results", "datasets", "document", "stats", "boards", "correlation", "gate", "page")
for room in ("errors", "images", *tables):
    package = import_module(f"iqbench.{room}")
    if room != "images":  # some of its modules make tensors
        for module in pkgutil.walk_packages(getattr(package, "__path__", []), f"iqbench.{room}."):
            import_module(module.name)
    note(room)
"""
    )
    assert "iqbench.results.read" in found["results"]
    assert "iqbench.datasets.layouts.embedded" in found["datasets"]
    for room, modules in found.items():
        assert "torch" not in modules, room


def test_the_public_names_are_there_when_they_are_used():
    import iqbench
    from iqbench import api
    from iqbench.results.read import load_scores

    assert iqbench.evaluate is api.evaluate
    assert iqbench.measure is api.measure
    assert iqbench.load_scores is load_scores
    assert callable(iqbench.functional.psnr)
    assert callable(iqbench.losses.TVLoss)


def test_other_names_are_not():
    import iqbench

    with pytest.raises(AttributeError, match="module 'iqbench' has no attribute 'evalute'"):
        _ = iqbench.evalute
