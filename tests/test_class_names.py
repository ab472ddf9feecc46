"""No two classes of the package have the same name."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]


def places_by_name(sources: dict[str, str]) -> dict[str, list[str]]:
    """The modules' classes: by name, the file and line of each definition at module level.

    A definition inside ``if`` or ``try`` counts.
    """
    places = defaultdict(list)
    for file, source in sources.items():
        waiting: list[ast.AST] = [ast.parse(source)]
        while waiting:
            for node in ast.iter_child_nodes(waiting.pop()):
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(f"{file}:{node.lineno}")
                elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    waiting.append(node)
    return places


def repeated(sources: dict[str, str]) -> dict[str, list[str]]:
    return {name: found for name, found in places_by_name(sources).items() if len(found) > 1}


def test_class_names_are_unique():
    files = sorted((ROOT / "iqbench").rglob("*.py"))
    assert files
    assert not repeated({str(file.relative_to(ROOT)): file.read_text("utf-8") for file in files})


def test_a_repeated_name_is_told_with_its_places():
    sources = {"one.py": "class Pair: ...", "two.py": "\nif x:\n    class Pair: ..."}
    assert repeated(sources) == {"Pair": ["one.py:1", "two.py:3"]}


def test_classes_inside_functions_and_classes_are_left_out():
    inside = "class Outer:\n    class Pair: ...\ndef f():\n    class Pair: ..."
    assert not repeated({"one.py": inside, "two.py": "class Pair: ..."})
