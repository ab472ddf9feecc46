"""Methods: folders of outputs with unique names."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from iqbench.datasets.files import (
    check_text,
    did_you_mean,
    is_folder,
    is_hidden,
    natural_key,
    spell_name,
    unusable_name,
)
from iqbench.datasets.storage.paths import Place, StoredPath
from iqbench.datasets.storage.places import find_place, is_storage
from iqbench.datasets.template import OutputName
from iqbench.errors import IqbenchError
from iqbench.user_files import expand_user

__all__ = ["Method", "resolve_methods"]

_TEMPLATE = re.compile(r"(?<!\{)(?:\{\{)*\{id(?!\w)")
"""Where the id stands; other braces may stand for the numbers of shards."""


@dataclass(frozen=True)
class Method:
    """A folder of outputs and the name under which they are scored.

    Attributes
    ----------
    name
        The method's name.
    folder
        Where its outputs lie.
    problem
        Why none of them can be scored; ``""`` as a rule.
    output_name
        Template of the names of its outputs, if it has one of its own.
    """

    name: str
    folder: Place
    problem: str = ""
    output_name: str | None = None


def resolve_methods(
    methods: Sequence[str], methods_in: str | PathLike[str] | None = None
) -> list[Method]:
    """Find the methods that a run is to score.

    Parameters
    ----------
    methods
        ``NAME=DIR``, or ``DIR`` for a method named as its folder: whatever
        `iqbench.datasets.storage.places.find_place` takes for one. A folder whose own name has an
        equals sign or braces is taken as it is if it exists. A template of the outputs' names may
        follow the folder: ``DIR/{id}_x4.png``.
    methods_in
        A folder whose sub-folders are methods, each; hidden ones are left out, and so are those
        that `methods` has under the same name.

    Returns
    -------
    list of Method
        In the order given; those of ``methods_in`` last, in natural order. A sub-folder of
        ``methods_in`` whose name cannot be used is there with its problem.

    Raises
    ------
    IqbenchError
        If there is no method, if a folder does not exist, is not a folder or is empty, if a
        template is wrong, or if two methods have one name.
    """
    found = [_method(method) for method in methods]
    if methods_in is not None:
        given = {(method.name, method.folder.resolve()) for method in found}
        found += [
            method
            for method in _methods_in(methods_in)
            if (method.name, method.folder.resolve()) not in given
        ]
    if not found:
        raise IqbenchError(
            "no method to score", hint="Give --method [NAME=]DIR or --methods-in DIR"
        )
    by_name: dict[str, Method] = {}
    for method in found:
        other = by_name.setdefault(method.name, method)
        if other is not method:
            raise IqbenchError(
                f"two methods are called {method.name!r}: {_place(other)} and {_place(method)}",
                hint="Give one of them another name: --method NAME=DIR",
            )
    return found


def _method(text: str) -> Method:
    name, equals, place = text.partition("=")
    whole = False
    with suppress(OSError):  # a text that is too long for a path may be a long name and a path
        whole = Path(text).is_dir() or is_storage(text)
    if not equals or not name or _TEMPLATE.search(name) or whole:
        name, place = "", text
    if not place:
        raise IqbenchError(
            f"method {text!r} does not name a folder", hint="Give --method [NAME=]DIR"
        )
    folder, output_name = _folder_and_template(place)
    if output_name is not None:
        _check_template(text, output_name)
    path = find_place(folder)
    _check_folder(path, "method folder")
    if not _visible(path):
        raise IqbenchError(f"method folder {path} is empty", hint="Put the method's outputs there")
    hint = "Give it another name: --method NAME=DIR"
    named = check_text("method", name or path.resolve().name, hint=hint)
    return Method(named, path, output_name=output_name)


def _place(method: Method) -> str:
    """Name the folder of a method, with its template where it has one of its own."""
    named = "" if method.output_name is None else f"/{method.output_name}"
    return f"{method.folder}{named}"


def _folder_and_template(place: str) -> tuple[str, str | None]:
    """Part ``DIR/{id}_x4.png`` into the folder and the template of the names in it."""
    parts = re.split(r"[/\\]" if os.sep == "\\" else "/", place)
    first = next((at for at, part in enumerate(parts) if _TEMPLATE.search(part)), None)
    if first is None or expand_user(place).is_dir():
        return place, None
    folder = "/".join(parts[:first]) or ("/" if first else ".")
    return folder.replace("{{", "{").replace("}}", "}"), "/".join(parts[first:])


def _check_template(method: str, output_name: str) -> None:
    try:
        OutputName.parse(output_name)
    except IqbenchError as error:
        raise IqbenchError(f"method {method!r}: {error.message}", hint=error.hint) from error


def _methods_in(given: str | PathLike[str]) -> list[Method]:
    folder = find_place(given)
    _check_folder(folder, "folder of methods")
    names = [name for name, is_sub_folder in _visible(folder) if is_sub_folder]
    if not names:
        raise IqbenchError(
            f"folder of methods {folder} has no sub-folders",
            hint="--methods-in takes a folder with one sub-folder a method; "
            "for a single method use --method",
        )
    return [
        Method(spell_name(name), folder / name, _problem(folder, name))
        for name in sorted(names, key=natural_key)
    ]


def _problem(folder: Place, name: str) -> str:
    why = unusable_name(name)
    return why and (
        f"the name of the method's folder {str(folder / name)!r} cannot be used: {why}; rename it, "
        "or give --method NAME=DIR"
    )


def _check_folder(folder: Place, kind: str) -> None:
    if folder.is_dir():
        return
    if folder.exists():
        raise IqbenchError(f"{kind} {folder} is a file, not a folder")
    raise IqbenchError(f"{kind} {folder} does not exist", hint=did_you_mean(folder, folder=True))


def _visible(folder: Place) -> list[tuple[str, bool]]:
    """Return the names in a folder, and whether each is a folder."""
    if isinstance(folder, StoredPath):
        return list(folder.scan())
    try:
        with os.scandir(folder) as entries:
            return [
                (entry.name, is_folder(entry)) for entry in entries if not is_hidden(entry.name)
            ]
    except OSError as error:
        raise IqbenchError(f"cannot list folder {folder}: {error.strerror}") from error
