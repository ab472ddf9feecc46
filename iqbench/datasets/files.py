"""List images in folders: fast, in the same order on every machine, without opening a file."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple, Protocol
from unicodedata import category, normalize

from iqbench.errors import IqbenchError

__all__ = [
    "IMAGE_SUFFIXES",
    "check_text",
    "composed",
    "did_you_mean",
    "is_below_root",
    "is_file",
    "is_folder",
    "is_hidden",
    "is_image_name",
    "natural_key",
    "numbering_gaps",
    "some",
    "spell_name",
    "split_suffix",
    "unusable_name",
    "walk",
]

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pnm"}
)
"""Endings of file names, in lower case, that are taken for images."""

_SYSTEM_NAMES = frozenset(
    {"__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "lost+found", "System Volume Information"}
)
"""What systems and their archives put beside files; some of it has images in it."""

_UNUSABLE = {
    "Cc": "a control character",
    "Cs": "a byte that is not UTF-8",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
}
"""Categories of Unicode that no name can hold: tables, terminals and pages cannot show them."""

_DIGITS = re.compile(r"([0-9]+)")
_LAST_NUMBER = re.compile(r"(.*?)([0-9]+)([^0-9]*)", re.DOTALL)


class ListedFolder(Protocol):
    """A folder that was listed before, as one in a storage."""

    def walk(self) -> Iterator[str]:
        """Give the paths of all files below it, relative to it."""
        ...


class _Folder(NamedTuple):
    path: str
    prefix: str


def composed(text: str) -> str:
    """Return text with accents as parts of letters; macOS writes them apart."""
    return text if text.isascii() else normalize("NFC", text)


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Sort key under which ``img_2`` comes before ``img_10``, whatever the locale."""
    # re.split with one group alternates text and digits, so equal positions compare equal types.
    parts: list[str | int] = list(_DIGITS.split(name))
    parts[1::2] = [int(digits) for digits in parts[1::2]]
    return parts, name


def numbering_gaps(names: Collection[str]) -> list[str]:
    """Name what lies between the first and the last of names that differ in one number only.

    Empty where they differ otherwise: ``kodim01`` and ``kodim03`` lack ``kodim02``.
    """
    found = [_LAST_NUMBER.fullmatch(name) for name in names]
    frames = {(match[1], match[3]) for match in found if match}
    numbers = {int(match[2]) for match in found if match}
    widths = {len(match[2]) for match in found if match}
    if None in found or len(frames) != 1 or max(numbers) - min(numbers) > 2 * len(numbers):
        return []
    ((before, after),) = frames
    width = widths.pop() if len(widths) == 1 else 0
    inner = sorted(set(range(min(numbers), max(numbers))) - numbers)
    return [f"{before}{number:0{width}}{after}" for number in inner]


def some(names: Collection[str]) -> str:
    """Name the first few in natural order, and say how many others there are."""
    shown = sorted(names, key=natural_key)[:3]
    return ", ".join(shown) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def is_hidden(name: str) -> bool:
    """Say whether a file or folder is none of the user's: a leading dot, or a system's own."""
    return name.startswith(".") or name in _SYSTEM_NAMES


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Say whether an entry is a folder or a link to one."""
    with suppress(OSError):  # a link that leads to itself is dead, not an error
        return entry.is_dir()
    return False


def is_file(entry: os.DirEntry[str]) -> bool:
    """Say whether an entry is a file or a link to one."""
    with suppress(OSError):
        return entry.is_file()
    return False


def did_you_mean(path: object, *, folder: bool) -> str:
    """Ask for the folder, or file, whose name is nearest to that of a local one that is missing."""
    if not isinstance(path, Path):
        return ""
    names: list[str] = []
    with suppress(OSError), os.scandir(path.parent) as entries:
        visible = [entry for entry in entries if not is_hidden(entry.name)]
        names = [entry.name for entry in visible if is_folder(entry) == folder]
    near = [name for name in names if name.casefold() == path.name.casefold()]
    near = near or get_close_matches(path.name, names, n=1, cutoff=0.5)
    return f"Did you mean {path.parent / near[0]}?" if near else ""


def split_suffix(name: str) -> tuple[str, str]:
    """Split ``scene/a.b.png`` into ``("scene/a.b", ".png")``; the suffix may be empty."""
    stem, dot, ending = name.rpartition(".")
    if not dot or "/" in ending or not stem or stem.endswith("/"):
        return name, ""
    return stem, dot + ending


def is_image_name(name: str) -> bool:
    """Tell whether a file name ends like an image that can be read."""
    return split_suffix(name)[1].lower() in IMAGE_SUFFIXES


def unusable_name(name: str) -> str:
    """Say why text cannot be the name of an image, a method or a dataset.

    Spaces of any width, invisible signs such as joiners of emoji, and private characters are
    allowed: they can be stored, and are escaped where they are printed.

    Returns
    -------
    str
        The reason, or ``""`` where the name can be used.
    """
    if not name:
        return "it is empty"
    if not name.isprintable():
        for sign in name:
            if what := _UNUSABLE.get(category(sign)):
                return f"it holds {what}, {_escape(sign)}"
    return ""


def is_below_root(path: str) -> bool:
    """Tell whether a path, on any operating system, stays below the folder it is relative to."""
    if not path or "\0" in path:
        return False
    if not ("\\" in path or ":" in path or ".." in path or path.startswith("/")):
        return True  # the rule, and much faster than to take the path apart
    pure, windows = PurePosixPath(path), PureWindowsPath(path)
    return not (pure.is_absolute() or windows.anchor or ".." in pure.parts + windows.parts)


def spell_name(name: str) -> str:
    r"""Replace what a name cannot hold by escapes: a line break by ``\n``."""
    if name.isprintable():
        return name
    return "".join(_escape(sign) if category(sign) in _UNUSABLE else sign for sign in name)


def _escape(sign: str) -> str:
    return sign.encode("unicode_escape").decode("ascii")


def check_text(kind: str, name: str, *, hint: str = "Give another name") -> str:
    """Return a name that can be stored and printed, or refuse it.

    Raises
    ------
    IqbenchError
        If the name is empty, holds a control character or a line separator, or is not valid
        Unicode (a file name whose bytes are not UTF-8).
    """
    if why := unusable_name(name):
        raise IqbenchError(
            f"{kind} {name!r} cannot be used as a name: {why}",
            hint=hint,
        )
    return name


def walk(root: Path | ListedFolder) -> Iterator[str]:
    """Yield the paths of all files below a folder, relative to it and ``/``-separated.

    Hidden files and folders (a leading dot) and those of systems (``__MACOSX``) are left out.
    Links are followed; a folder that was already listed is not listed again under the name of a
    link, so loops end. The order is that of the file system: sort what matters.

    Raises
    ------
    IqbenchError
        If a folder cannot be listed.
    """
    if not isinstance(root, Path):
        yield from root.walk()
        return
    seen: set[tuple[int, int]] = set()
    folders = [_Folder(str(root), "")]
    links: list[_Folder] = []
    while folders or links:
        # Real folders first: a link never gives its name to files that have one of their own.
        if not folders:
            links.sort(reverse=True)
            folders.append(links.pop())
        folder = folders.pop()
        try:
            status = Path(folder.path).stat()
            identity = (status.st_dev, status.st_ino)
            if identity in seen:
                continue
            seen.add(identity)
            with os.scandir(folder.path) as entries:
                for entry in entries:
                    if is_hidden(entry.name):
                        continue
                    name = folder.prefix + entry.name
                    if is_folder(entry):
                        found = _Folder(entry.path, f"{name}/")
                        (links if entry.is_symlink() else folders).append(found)
                    else:
                        yield name
        except OSError as error:
            raise IqbenchError(f"cannot list folder {folder.path}: {error.strerror}") from error
