"""Every imported package is declared, and named by the error if it is missing."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from iqbench.errors import IqbenchError
from iqbench.packages import EXTRAS, SCORING, TABLES, missing_package, missing_packages

ROOT = Path(__file__).parents[1]

OF_OTHERS = {
    "triton": "comes with torch on Linux; without it kernels are not used",
    "typing_extensions": "comes with pydantic and torch",
    "markupsafe": "comes with jinja2",
}
"""Imported, but brought by another package of the list."""


def declared(file, heading="dependencies"):
    """The requirements of a list in a pyproject.toml, which Python 3.10 cannot read by itself."""
    text = (ROOT / file).read_text(encoding="utf-8")
    (block,) = re.findall(rf"^{heading} = \[\n(.*?)^\]", text, flags=re.MULTILINE | re.DOTALL)
    return {Requirement(line) for line in re.findall(r'^ +"([^"]+)"', block, flags=re.MULTILINE)}


def names(requirements):
    return {one.name for one in requirements}


def test_the_lists_are_those_of_the_two_distributions():
    everything, tables = declared("pyproject.toml"), declared("iqbench-tables/pyproject.toml")
    assert tables <= everything
    assert names(tables) == set(TABLES.values())
    assert names(everything) == set((TABLES | SCORING).values())
    for package, extra in EXTRAS.values():
        assert package in names(declared("pyproject.toml", extra))


def imported():
    for path in sorted((ROOT / "iqbench").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (one.name.partition(".")[0] for one in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]


def test_every_imported_package_is_declared():
    found = set(imported()) - set(sys.stdlib_module_names) - {"iqbench", "__future__"}
    assert found <= TABLES.keys() | SCORING.keys() | EXTRAS.keys() | OF_OTHERS.keys()


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("torch", "the package torch is not installed. pip install iqbench"),
        ("cv2", "the package opencv-python-headless is not installed. pip install iqbench"),
        ("skimage.restoration", "the package scikit-image is not installed. pip install iqbench"),
        ("openpyxl", "the package openpyxl is not installed. pip install 'iqbench[xlsx]'"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(module, message):
    error = missing_package(ModuleNotFoundError("No module", name=module))
    assert isinstance(error, IqbenchError)
    assert isinstance(error, ImportError)
    assert str(error) == message


def test_an_unknown_module_is_no_package_to_install():
    error = ModuleNotFoundError("No module named 'iqbench.nothing'", name="iqbench.nothing")
    assert missing_package(error) is error


def test_only_what_is_not_there_is_missing(monkeypatch):
    assert missing_packages("numpy", "yaml") == []
    monkeypatch.setitem(SCORING, "iqbench_no_such_module", "some-package")
    assert missing_packages("numpy", "iqbench_no_such_module") == ["some-package"]


def test_python_gets_the_same_error_as_the_command_line(monkeypatch):
    import iqbench

    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("iqbench.losses")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(vars(iqbench), "losses", raising=False)
    with pytest.raises(ImportError, match=r"the package torch is not installed\. pip install iqb"):
        _ = iqbench.losses
