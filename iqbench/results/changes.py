"""Remove or rename a method, completely or not at all, and keep a record of it."""

from __future__ import annotations

import json
import os
import platform
import secrets
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import get_args

import pyarrow as pa

from iqbench import __version__
from iqbench.errors import IqbenchError, unknown_name
from iqbench.results.current import Stored, groups, refuse_later
from iqbench.results.parts import TableParts, list_parts, moment_of, write
from iqbench.results.paths import slug
from iqbench.results.pending import CHANGES, Change, under_way
from iqbench.results.published import read_published, renamed, write_published
from iqbench.results.schema import FORMAT, Footer, Kind
from iqbench.user_files import replace_file

__all__ = ["remove_method", "rename_method", "settle_changes"]

_ABANDONED_SECONDS = 24 * 3600


def remove_method(root: Path, method: str, datasets: Collection[str] = ()) -> Change:
    """Take a method out of a results folder: its scores, values of sets and published means.

    Features stay: they are of files, whatever the method.

    Parameters
    ----------
    root
        The results folder.
    method
        Its name.
    datasets
        On which datasets; by default on all.

    Raises
    ------
    IqbenchError
        If there is no such method or dataset, or a file cannot be written or deleted.
    """
    settle_changes(root)
    found, named = _of_method(root, method, datasets)
    change = _change(root, found, method=method, new="", datasets=named)
    file = _announce(root, change, ".pending")
    _finish(root, file, change)
    return change


def rename_method(root: Path, method: str, new: str, datasets: Collection[str] = ()) -> Change:
    """Give a method of a results folder another name.

    Parameters
    ----------
    root
        The results folder.
    method, new
        Its name, and the new one; nothing may be there under the new one.
    datasets
        On which datasets; by default on all.

    Raises
    ------
    IqbenchError
        If there is no such method or dataset, the new name is taken, a later release has written
        something of it, or a file cannot be written or deleted.
    """
    if not new.strip() or new == method:
        raise IqbenchError(f"{new!r} is not a new name", hint="Give a name that is not in use")
    settle_changes(root)
    found, named = _of_method(root, method, datasets)
    there = _named(root, _groups(root))
    taken = {dataset for dataset, name in there if name == new} & set(named)
    if taken:
        raise IqbenchError(
            f"{root} has a method {new!r} on {', '.join(sorted(taken))} already",
            hint="Choose another name, or remove it first: iqbench results remove",
        )
    for group in found:
        refuse_later(group)
    change = _change(root, found, method=method, new=new, datasets=named)
    file = _announce(root, change, ".preparing")
    try:
        for group in found:
            _write_renamed(root, group, new)
        file = file.rename(file.with_suffix(".pending"))
    except BaseException:
        if file.exists():  # else the signal came when all was written
            _undo(root, file, change)
        raise
    _finish(root, file, change)
    return change


def settle_changes(root: Path) -> None:
    """Finish or undo changes whose process died; whoever writes into the folder does this first.

    Raises
    ------
    IqbenchError
        If a file cannot be deleted, or another process is at a change of the folder.
    """
    for file, change in under_way(root):
        if file.suffix == ".pending":
            _finish(root, file, change)
        elif _is_alive(file, change):
            raise IqbenchError(
                f"{root} is being changed: method {change.method!r} is renamed to {change.new!r} "
                f"by process {change.process} on {change.host}",
                hint=f"Run this again when it is done; if that process is dead, delete {file}",
            )
        else:
            _undo(root, file, change)


def _is_alive(file: Path, change: Change) -> bool:
    if change.host != platform.node():  # nobody here knows; a live one is never a day behind
        return time.time() - file.stat().st_mtime < _ABANDONED_SECONDS
    try:
        os.kill(change.process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _groups(root: Path) -> list[Stored]:
    """List what a results folder has scores of; it may have published means alone."""
    if not any((root / "images").glob("*/*")) and read_published(root):
        return []
    return groups(root)


def _named(root: Path, found: Sequence[Stored]) -> list[tuple[str, str]]:
    """List dataset and method of all that a results folder has."""
    of_tables = [(group.dataset, group.method) for group in found]
    of_papers = [(mean.dataset, mean.method) for mean in read_published(root)]
    return list(dict.fromkeys([*of_tables, *of_papers]))


def _of_method(
    root: Path, method: str, datasets: Collection[str]
) -> tuple[list[Stored], list[str]]:
    """Find what a results folder has of a method, and on which datasets."""
    found = _groups(root)
    every = _named(root, found)
    known = {name for _, name in every}
    if method not in known:
        raise unknown_name("method", method, known)
    of_method = [dataset for dataset, name in every if name == method]
    for dataset in datasets:
        if dataset not in of_method:
            raise unknown_name("dataset", dataset, of_method)
    named = sorted(set(datasets or of_method))
    mine = [group for group in found if group.method == method and group.dataset in named]
    return mine, named


def _images_last(group: Stored) -> Iterator[TableParts]:
    """Give the tables of a dataset and method; the images make the others visible."""
    yield from reversed(group.tables)


def _change(
    root: Path, found: Sequence[Stored], *, method: str, new: str, datasets: list[str]
) -> Change:
    images = scores = 0
    parts: list[str] = []
    for group in found:
        for table in _images_last(group):
            parts += [part.relative_to(root).as_posix() for part in table.paths()]
        images += len(group.images.rows(["image"]).column("image").unique())
        scores += group.scores.rows(["image"]).num_rows
    return Change(
        what="rename" if new else "remove",
        method=method,
        new=new,
        datasets=datasets,
        images=images,
        scores=scores,
        time=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        iqbench=__version__,
        parts=parts,
        host=platform.node(),
        process=os.getpid(),
    )


def _announce(root: Path, change: Change, state: str) -> Path:
    """Write the file that describes a change; from then on, readers follow it."""
    folder = root / CHANGES
    file = folder / f"{time.time_ns():020d}-{secrets.token_hex(4)}{state}"
    try:
        folder.mkdir(exist_ok=True)
        replace_file(file, _content(change))
    except OSError as error:
        raise IqbenchError(
            f"cannot write {file}: {error.strerror or error}",
            hint="Check the permissions and the free space; nothing was changed",
        ) from error
    return file


def _content(change: Change) -> bytes:
    return (json.dumps(asdict(change), ensure_ascii=False, indent=1) + "\n").encode()


def _finish(root: Path, file: Path, change: Change) -> None:
    """Do the rest of a change that readers show already."""
    try:
        means = read_published(root, as_stored=True)
        changed = [renamed(mean, change) for mean in means]
        if changed != means:
            write_published(root, [mean for mean in changed if mean is not None])
        for name in change.parts:
            _delete(root, change, name)
        replace_file(file, _content(change.finished()))
        file.rename(file.with_suffix(".json"))
    except FileNotFoundError:
        return  # another process has finished it
    except OSError as error:
        raise IqbenchError(
            f"{change.sentence}, but {error.filename or file} cannot be deleted: "
            f"{error.strerror or error}",
            hint="Check its permissions; the next iqbench results or evaluate completes it",
        ) from error


def _delete(root: Path, change: Change, name: str) -> None:
    """Delete a part of a change's method, and its folder once that is empty."""
    path = PurePosixPath(name)
    folders = {(slug(dataset), slug(method)) for dataset, method in change.keys}
    kinds = path.parts[:1] and path.parts[0] in get_args(Kind)
    # The record may be a stranger's, who has put it there.
    if len(path.parts) != 4 or not kinds or path.parts[1:3] not in folders or ".." in path.parts:
        raise IqbenchError(
            f"a record in {root / CHANGES} names {name!r}, which is not part of that method",
            hint="Delete that record: iqbench did not write it",
        )
    part = root / path
    part.unlink(missing_ok=True)
    with suppress(OSError):
        part.parent.rmdir()
        part.parent.parent.rmdir()


def _write_renamed(root: Path, group: Stored, new: str) -> None:
    """Write the parts of a dataset and method under a new name, each as old as it was."""
    for table in _images_last(group):
        target = root / table.kind / slug(group.dataset) / slug(new)
        for part in table.paths():
            rows, footer = table.rows_of(part), table.footer_of([part])
            place = rows.schema.get_field_index("method")
            names = pa.repeat(pa.scalar(new, pa.string()), rows.num_rows).dictionary_encode()
            field = rows.schema.field(place)
            rows = rows.set_column(place, field, names.cast(field.type))
            write(target, rows, _renamed(footer, new), moment=moment_of(part))


def _renamed(footer: Footer, new: str) -> Footer:
    runs = [
        run.model_copy(
            update={
                "places": [
                    place.model_copy(update={"method": new})
                    if (place.dataset, place.method) == (footer.dataset, footer.method)
                    else place
                    for place in run.places
                ]
            }
        )
        for run in footer.runs
    ]
    return replace(footer, format=FORMAT, method=new, runs=runs)


def _undo(root: Path, file: Path, change: Change) -> None:
    """Delete what a rename has written before readers were to show it."""
    begun = moment_of(file)
    for dataset, method in change.new_keys:
        for kind in get_args(Kind):
            folder = root / kind / slug(dataset) / slug(method)
            for part in list_parts(folder):
                if moment_of(part) < begun:  # younger ones are of a run since then
                    part.unlink(missing_ok=True)
            with suppress(OSError):
                folder.rmdir()
    file.unlink(missing_ok=True)
