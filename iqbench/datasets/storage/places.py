"""Open what a user names as a folder: a folder, an address, or one or several archives."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import NamedTuple

from iqbench.blobs.blob import Blob, LocalFile
from iqbench.blobs.remote import (
    find_objects,
    is_url,
    is_web_address,
    list_objects,
    plain_address,
    without_file_protocol,
)
from iqbench.datasets.files import is_image_name, natural_key, some, split_suffix
from iqbench.datasets.storage.limits import plain_name, why_unsafe
from iqbench.datasets.storage.packed_files import ArchiveFiles, PackedFiles, RemoteFiles
from iqbench.datasets.storage.paths import Place, Storage, StoredPath
from iqbench.datasets.storage.stored_file import Extent, Refused, StoredFile
from iqbench.datasets.storage.tar_members import list_tar
from iqbench.datasets.storage.zip_members import list_zip
from iqbench.errors import IqbenchError
from iqbench.specs import parse_spec
from iqbench.user_files import expand_user

__all__ = ["archives_hint", "find_place", "is_storage"]

_ARCHIVE = re.compile(r"(?P<path>.*\.(?P<kind>zip|tar|parquet))(?:#(?P<part>[^#]+))?", re.I)
_WEB_ARCHIVE = re.compile(
    r"(?P<path>https?://[^?#]*\.(?P<kind>zip|tar|parquet)(?:\?[^#]*)?)(?:#(?P<part>[^#]+))?", re.I
)
"""On a web server, ``?`` begins a query, such as ``?download=1``."""
_COMPRESSED = re.compile(r".*\.(?:tar\.\w+|tgz|tbz2?|txz|7z|rar)(?:#[^#]+)?", re.I)
_COLLAPSED = re.compile(r"([a-z][a-z0-9+.-]+):[/\\]{1,2}(?=[^/\\])", re.I)
_LOCAL = ("file", "local")
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_MOST_SHARDS = 1_000_000
_LISTED_AT_ONCE = 16


def is_storage(text: str) -> bool:
    """Tell whether a text names something else than a local folder: an address or an archive."""
    if is_url(text):
        return True
    named = _ARCHIVE.fullmatch(text)
    if named is None or Path(text).is_dir():
        return False
    return any(path.is_file() for path in _local_paths(named["path"]))


def find_place(given: str | os.PathLike[str] | StoredPath) -> Place:
    """Find what a user names as a folder; archives and remote folders are listed.

    Parameters
    ----------
    given
        A local folder; an address that fsspec opens, such as ``s3://bucket/folder``; or one of
        either that ends in ``.zip``, ``.tar`` or ``.parquet``. Such a name may be of several files,
        by ``*`` and ``?``, or by ``{000..012}`` and ``{a,b}``, and have behind a ``#`` the part
        that is meant: a folder in a zip or tar; the rest of the names behind their first dot, as
        WebDataset calls its fields (``hr.png``); or the column of images in a Parquet file, with
        that of their names: ``hr:key=filename``.

    Returns
    -------
    pathlib.Path or StoredPath
        A local path is returned as it is, whether there is something or not.

    Raises
    ------
    IqbenchError
        If an archive is not as it should be, has no such part, or a server does not answer.
    """
    if isinstance(given, StoredPath):  # found before
        return given
    text = os.fspath(given)
    if not is_url(text):
        path = expand_user(text)
        if path.is_dir():
            return path
        text = _expanded_slashes(text) or str(path)
    if (path_text := without_file_protocol(text)) != text:
        return find_place(path_text)
    if is_url(text):
        text = plain_address(text)
    named = (_WEB_ARCHIVE if is_web_address(text) else _ARCHIVE).fullmatch(text)
    if named is None:
        if _COMPRESSED.fullmatch(text) and (is_url(text) or Path(text).is_file()):
            raise IqbenchError(
                f"{text} is packed as a whole, so that no file in it can be read by itself",
                hint="Unpack it, or pack it again as a .tar without compression or as a .zip",
            )
        return StoredPath(_remote_folder(text)) if is_url(text) else Path(text)
    files = list(_remote_files(named["path"]) if is_url(text) else _local_files(named["path"]))
    if not files:
        if not is_url(text) and not _is_pattern(named["path"]):
            return Path(text)
        raise IqbenchError(f"{named['path']} does not exist", hint="Check the name")
    return StoredPath(_archives(text, named["kind"].lower(), files, named["part"]))


def archives_hint(folder: Place, names: Iterable[str]) -> str:
    """Say how to name the archives among the files of a folder; empty where there are none."""
    endings = sorted({match["kind"].lower() for match in map(_ARCHIVE.fullmatch, names) if match})
    if not endings:
        return ""
    return f"To read the archives in it, name them: '{folder}/*.{endings[0]}'"


def _expanded_slashes(text: str) -> str:
    """Write an address as it was before `pathlib` took slashes out of it; empty for a path."""
    match = _COLLAPSED.match(text)
    if match is None or len(match[1]) < 2 or Path(text).exists():
        return ""
    from fsspec import available_protocols

    protocol = match[1].lower()
    if protocol not in available_protocols():
        return ""
    slashes = "///" if protocol in _LOCAL else "//"
    return f"{protocol}:{slashes}{text[match.end() :]}"


def _remote_folder(url: str) -> Storage:
    if is_web_address(url) and (sign := re.search(r"[?#]", url)):
        raise IqbenchError(
            f"{url} is no folder of a web server: nothing may follow a {sign[0]}",
            hint="Leave it out, or write %3F for ? and %23 for # where they are part of a name",
        )
    refused: dict[str, IqbenchError] = {}
    names: list[str] = []
    files = RemoteFiles(names)
    for name, one in list_objects(url, refused):
        files.add(name, one)
    label = url.rstrip("/")
    for name, why in refused.items():
        files.add_file(name, StoredFile(f"{label}/{name}", Refused(why.message, why.hint)))
    is_file = not names and bool(find_objects(url))
    packed = PackedFiles(names, files)
    return Storage(label, label, label.rpartition("/")[2], "/", packed, is_file)


def _is_pattern(path: str) -> bool:
    return re.search(r"[*{]" if is_web_address(path) else r"[*?{]", path) is not None


def _expanded(path: str) -> Iterator[str]:
    """Give the names that ``{000..012}`` and ``{a,b}`` in a name stand for."""
    parts = _BRACES.split(path)
    choices = [_choices(part) if place % 2 else [part] for place, part in enumerate(parts)]
    count = 1
    for one in choices:
        count *= len(one)
    if count > _MOST_SHARDS:
        raise IqbenchError(f"{path} stands for more than {_MOST_SHARDS:,} files")
    yield from map("".join, product(*choices))


def _choices(text: str) -> list[str]:
    match = _RANGE.fullmatch(text)
    if match is None:
        return text.split(",")
    first, last, width = int(match[1]), int(match[2]), len(match[1])
    if last - first > _MOST_SHARDS:
        raise IqbenchError(f"{{{text}}} stands for more than {_MOST_SHARDS:,} files")
    return [f"{number:0{width}}" for number in range(first, last + 1)]


def _local_files(path: str) -> Iterator[Blob]:
    if _is_pattern(path) or Path(path).is_file():
        yield from map(LocalFile.of, _local_paths(path))


def _local_paths(path: str) -> Iterator[Path]:
    """Give the paths that a name, or a pattern of names, stands for; they need not be there."""
    if Path(path).is_file():
        yield Path(path)
        return
    for one in map(Path, _expanded(path)):
        if re.search(r"[*?]", str(one)):
            pattern = str(one.relative_to(one.anchor)).replace("[", "[[]")
            found = Path(one.anchor or ".").glob(pattern)
            yield from sorted(found, key=lambda file: natural_key(str(file)))
        else:
            yield one


def _remote_files(path: str) -> Iterator[Blob]:
    expanded = list(_expanded(path))
    with ThreadPoolExecutor(_LISTED_AT_ONCE) as pool:
        for one, found in zip(expanded, pool.map(find_objects, expanded), strict=True):
            if not found and len(expanded) > 1:
                raise IqbenchError(f"{one} does not exist", hint="Check the name")
            yield from sorted(found, key=lambda blob: natural_key(blob.name))


class _Members(NamedTuple):
    """What several archives hold together."""

    files: PackedFiles
    name: str


def _archives(text: str, kind: str, blobs: list[Blob], part: str | None) -> Storage:
    members = _parquet(blobs, part) if kind == "parquet" else _packed(blobs, kind, part)
    address = text if is_url(text) else str(Path(text).absolute())
    path = text.partition("#")[0] if part else text
    if is_web_address(path):
        path = path.partition("?")[0]
    folder, _, last = path.replace("\\", "/").rpartition("/")
    own = folder.rpartition("/")[2] if _is_pattern(last) else split_suffix(last)[0]
    found = Storage(text, address, members.name or own, "/" if part else "#", members.files)
    if not found.files:
        raise IqbenchError(f"{text} holds no files", hint="Pack it again, with images in it")
    return found


def _packed(blobs: list[Blob], kind: str, part: str | None) -> _Members:
    """List zips or tars as one."""
    names: list[str] = []
    members = ArchiveFiles(names)
    places: dict[str, int] = {}
    with ThreadPoolExecutor(_LISTED_AT_ONCE) as pool:
        for blob, listed in zip(
            blobs, pool.map(list_zip if kind == "zip" else list_tar, blobs), strict=True
        ):
            for name, extent in listed.items():
                if places.setdefault(name, len(places)) < len(names):
                    raise _twice(name, members.blob(places[name]), blob)
                members.add(name, blob, extent)
    files = PackedFiles(names, members)
    if part is None:
        return _Members(files, "")
    return _part(files, part.strip("/"), blobs[0].name)


def _part(files: PackedFiles, part: str, archive: str) -> _Members:
    """Take the files of a folder, or those whose names end, behind their first dot, in a field."""
    if part and files.has_folder(part):
        inside = ((name[len(part) + 1 :], name) for name in files.below(part))
        return _Members(files.renamed(inside), part.rpartition("/")[2])
    suffix = f".{part.lstrip('.')}".lower()
    fields = {
        name[: -len(suffix)] + split_suffix(name)[1]: name
        for name in files
        if _field(name) == suffix
    }
    if not fields:
        folders = sorted({name.partition("/")[0] for name in files if "/" in name})
        endings = sorted({_field(name)[1:] for name in files if is_image_name(name)})
        there = "; ".join(
            f"{what}: {some(names)}"
            for what, names in (("folders", folders), ("fields", endings))
            if names
        )
        raise IqbenchError(
            f"there is no folder and no field {part!r} in {archive}",
            hint=f"There are {there}" if there else "It holds no images",
        )
    return _Members(files.renamed(fields.items()), part.lstrip(".").partition(".")[0])


def _field(name: str) -> str:
    """Return what follows the key in a name of WebDataset: all behind its first dot."""
    last = name.rpartition("/")[2]
    return last[last.find(".") :].lower() if "." in last else ""


def _parquet(blobs: list[Blob], part: str | None) -> _Members:
    """List a column of images of several Parquet files as one."""
    from iqbench.datasets.storage.parquet_images import list_cells

    column, options = parse_spec(part) if part else ("", {})
    if unknown := set(options) - {"key"}:
        raise IqbenchError(
            f"{part!r} says {some(unknown)} of a Parquet file, which is not a key",
            hint="Write FILE.parquet#COLUMN:key=NAMES, with the columns of images and names",
        )
    key = options.get("key")
    rows: list[tuple[str | None, Blob, Extent]] = []
    with ThreadPoolExecutor(_LISTED_AT_ONCE) as pool:
        listed = pool.map(lambda blob: list_cells(blob, column or None, key), blobs)
        for blob, (used, cells) in zip(blobs, listed, strict=True):
            column = used
            rows += [(name, blob, cell) for name, cell in cells]
    # Only all paths together are names: where some rows have none, or two the same, it is the rows.
    unnamed = any(not name for name, _, _ in rows)
    if unnamed and key is not None:
        raise IqbenchError(
            f"{blobs[0].name}: column {key!r} lacks some names", hint="Give another column"
        )
    names: list[str] = []
    files = ArchiveFiles(names, inner=f"{column}/")
    places: dict[str, int] = {}
    safe = all(name and not why_unsafe(name) for name, _, _ in rows)
    for number, (name, blob, extent) in enumerate(rows):
        text = str(number) if unnamed or name is None else plain_name(name)
        if not safe and not unnamed:
            text = text.replace("\\", "/").rpartition("/")[2]
        if not is_image_name(text):
            text += ".png"
        if places.setdefault(text, number) < number:
            first = files.blob(places[text])
            hint = f"Name a column of names: #{column}:key=COLUMN"
            raise _twice(text, first, blob, hint=hint)
        files.add(text, blob, extent)
    return _Members(PackedFiles(names, files), column if part else "")


def _twice(name: str, first: Blob, second: Blob, hint: str = "Name one of them") -> IqbenchError:
    where = first.name if first == second else f"{first.name} and {second.name}"
    return IqbenchError(f"{name!r} is twice in {where}", hint=hint)
