"""Imports go only down the list of rooms in docs/architecture.md, and in no circle."""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "iqbench"


def rooms_of_the_document() -> list[list[str]]:
    """The rooms from the top down; those of one line import nothing of each other."""
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    table = text.partition("\n## Rooms\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*`) \|", table, flags=re.MULTILINE)
    return [re.findall(r"`([\w/]+)`", cell) for cell in cells]


def module_of(path: Path) -> str:
    """The module of a file: ``iqbench.boards`` of its ``__init__.py``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in PACKAGE.rglob("*.py")}
LEVELS = {room: level for level, rooms in enumerate(rooms_of_the_document()) for room in rooms}


def imports_of(module: str) -> set[str]:
    """The modules of iqbench that a module imports, inside functions too."""
    named: list[tuple[str, str]] = []
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            named += [(name.name, "") for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            named += [(node.module, name.name) for name in node.names]
    found = {f"{home}.{name}" if f"{home}.{name}" in MODULES else home for home, name in named}
    return (found & set(MODULES)) - {module}


def room_of(module: str) -> str:
    """The room of a module: ``boards`` of ``iqbench.boards.board``; none of ``iqbench`` itself."""
    return module.split(".")[1] if "." in module else ""


def test_every_room_is_in_the_list():
    assert {room_of(module) for module in MODULES} - {""} == set(LEVELS)


@pytest.mark.parametrize("room", sorted(LEVELS))
def test_a_room_imports_only_from_rooms_below(room):
    upward = {
        f"{module} imports {name}"
        for module in MODULES
        if room_of(module) == room
        for name in imports_of(module)
        if room_of(name) not in ("", room) and LEVELS[room_of(name)] <= LEVELS[room]
    }
    assert not upward


def test_no_module_imports_itself_by_way_of_others():
    graph = {module: imports_of(module) for module in MODULES if module != "iqbench"}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle
