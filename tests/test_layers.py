"""Imports go only down the list of rooms in docs/architecture.md, and in no circle."""

from __future__ import annotations

import ast
import re
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


ROOMS = rooms_of_the_document()
LEVELS = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}


def room_of(module: str) -> str:
    """The room of a module: ``boards`` of ``iqbench.boards.board``."""
    return module.split(".")[1] if "." in module else ""


def imports_of(path: Path) -> set[str]:
    """The modules of iqbench that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "iqbench":
            found |= {f"iqbench.{name.name}" for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return {name for name in found if name.startswith("iqbench.")}


def test_every_room_is_in_the_list():
    there = {
        path.stem
        for path in PACKAGE.iterdir()
        if (path / "__init__.py").is_file() or (path.suffix == ".py" and path.stem != "__init__")
    }
    assert there == set(LEVELS)


@pytest.mark.parametrize("room", sorted(LEVELS))
def test_a_room_imports_only_from_rooms_below(room):
    folder, module = PACKAGE / room, PACKAGE / f"{room}.py"
    upward = {
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in (folder.rglob("*.py") if folder.is_dir() else [module])
        for name in imports_of(path)
        if room_of(name) in LEVELS
        if room_of(name) != room and LEVELS[room_of(name)] <= LEVELS[room]
    }
    assert not upward
