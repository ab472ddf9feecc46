"""The classes that other packages declare by entry points, such as metrics and layouts."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from typing import TypeGuard, TypeVar

from iqbench.errors import IqbenchWarning, exits_as_errors

__all__ = ["name_attribute", "or_left_out", "package_of_entry_point", "plugins"]

Plugin = TypeVar("Plugin")

_NAME = re.compile(r"[^\s:,=+\[\]]+")
"""A usable name: the grammars of specs and selectors use the other signs."""


def plugins(
    group: str,
    base: str,
    is_one: Callable[[object], TypeGuard[type[Plugin]]],
    known: Collection[str],
    names: Callable[[type[Plugin]], Collection[object]],
) -> list[tuple[EntryPoint, type[Plugin]]]:
    """Import the classes that other packages declare, and leave out those that cannot be used.

    One broken package must not block the others, or iqbench's own classes.

    Parameters
    ----------
    group
        The group of entry points.
    base, is_one
        The class that they must be derived from, and the test for it.
    known
        The names of iqbench's own classes, which no other package may have.
    names
        The names that a class is used by.

    Warns
    -----
    IqbenchWarning
        About each class that is left out, with its package and the reason.
    """
    loaded: dict[int, tuple[EntryPoint, object]] = {}
    for point in entry_points(group=group):
        with or_left_out(point):
            thing: object = point.load()
            loaded.setdefault(id(thing), (point, thing))  # a class may be declared twice
    found = []
    for point, thing in loaded.values():
        if is_one(thing):
            with or_left_out(point):
                found.append((point, thing, names(thing)))
        else:
            _leave_out(point, f"is not a subclass of {base}")
    usable = []
    for point, plugin, mine in found:
        others = [name for _, other, theirs in found if other is not plugin for name in theirs]
        for name in mine or (None,):
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                why = "cannot be written in a spec"
            elif name in known:
                why = "iqbench itself uses"
            elif name in others:
                why = "another package uses too"
            else:
                continue
            _leave_out(point, f"has the name {name!r}, which {why}")
            break
        else:
            usable.append((point, plugin))
    return usable


def name_attribute(plugin: type[object]) -> tuple[object, ...]:
    """Return the attribute ``name`` of a class, None if it has none, as its only name."""
    return (getattr(plugin, "name", None),)


@contextmanager
def or_left_out(point: EntryPoint) -> Iterator[None]:
    """Leave out an entry point if the code of its package fails."""
    try:
        with exits_as_errors():
            yield
    except Exception as error:
        _leave_out(point, f"cannot be loaded: {type(error).__name__}: {error}")


def package_of_entry_point(point: EntryPoint) -> str:
    """Return the package of an entry point with its version, or else the module."""
    if point.dist:
        return f"{point.dist.name} {point.dist.version}"
    return point.value.partition(":")[0]


def _leave_out(point: EntryPoint, why: str) -> None:
    """Warn that the class of an entry point cannot be used."""
    warnings.warn(
        f"package {package_of_entry_point(point)} is left out: its entry point {point.value!r} of "
        f"{point.group} {why}",
        IqbenchWarning,
        stacklevel=2,
    )
