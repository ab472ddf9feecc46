"""Additional sections of leaderboards and reports. Each module of this folder is one kind.

The first line of a module's docstring is the title. Its function ``sections(board)`` takes a
`iqbench.boards.board.Board` and returns `iqbench.document.model.Section` objects, one per
dataset. ``iqbench leaderboard --section NAME`` shows them in every format; a report shows the
sections of all modules.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from iqbench.boards.board import Board
from iqbench.document.model import Section
from iqbench.errors import unknown_name

__all__ = ["SectionKind", "section_kind", "section_kinds"]


@dataclass(frozen=True)
class SectionKind:
    """A module of this folder.

    Attributes
    ----------
    name
        The module's name, with hyphens.
    title
        The title of its sections.
    make
        Makes the sections, at most one per dataset.
    """

    name: str
    title: str
    make: Callable[[Board], Iterable[Section]]


@cache
def section_kinds() -> dict[str, SectionKind]:
    """Find the modules, by name."""
    found = {}
    for info in pkgutil.iter_modules(__path__):
        module = import_module(f"{__name__}.{info.name}")
        name = info.name.replace("_", "-")
        title = (module.__doc__ or name).strip().partition("\n")[0].rstrip(".")
        found[name] = SectionKind(name, title, module.sections)
    return found


def section_kind(name: str) -> SectionKind:
    """Find a module by its name.

    Raises
    ------
    IqbenchError
        If it does not exist; the error names all modules.
    """
    kinds = section_kinds()
    if name not in kinds:
        raise unknown_name("section", name, kinds)
    return kinds[name]
