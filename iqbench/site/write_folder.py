"""Write the files of a site into a folder: all or none, and never over other files."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from iqbench.errors import IqbenchError

__all__ = ["SITE_FILE", "write_site_files"]

SITE_FILE = re.compile(r"(?:(?:datasets|downloads|versions)/)?[a-z0-9][a-z0-9._-]*")
"""The paths that a site's files have; whatever names them is matched with this."""

_STAGE = ".iqbench-site-"
_LIST = "exchange.json"
"""List of the files to exchange in a staged folder; it exists only during the exchange."""


def write_site_files(folder: Path, files: Mapping[str, bytes], before: Collection[str]) -> None:
    """Write files, and delete those of an earlier build that this one does not have.

    All of them are written beside their places first. Then each takes its place by a rename, which
    takes milliseconds. Where that fails the old files are put back; where the process is killed
    meanwhile, the next build does so.

    Parameters
    ----------
    folder
        Is made where it is not there. Whatever else it holds stays, such as ``.git`` or ``CNAME``.
    files
        By path below the folder.
    before
        The files of an earlier build, which may be replaced and deleted.

    Raises
    ------
    IqbenchError
        Where a file stands in the way that is none of the earlier build's, or something cannot be
        written. The folder is as before then.
    """
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in sorted(folder.glob(f"{_STAGE}*")):
            _put_back(folder, left)
            shutil.rmtree(left)
        _refuse_others(folder, files, before)
        stage = folder / f"{_STAGE}{secrets.token_hex(4)}"
        try:
            _write_beside(stage, files)
            _exchange(folder, stage, files, before)
        except BaseException:
            _put_back(folder, stage)
            raise
        finally:
            shutil.rmtree(stage, ignore_errors=True)
            if made:
                _remove_empty(folder)
    except OSError as error:
        raise IqbenchError(
            f"cannot write {error.filename or folder}: {error.strerror or error}",
            hint="Fix that or choose another -o; the site is as it was",
        ) from error


def _refuse_others(folder: Path, files: Collection[str], before: Collection[str]) -> None:
    for name in files:
        path = folder / name
        above = path.parent
        if above != folder and (above.is_symlink() or (above.exists() and not above.is_dir())):
            raise IqbenchError(
                f"{above} is not a folder", hint="Move it away, or choose an empty folder"
            )
        there = path.is_symlink() or path.exists()
        if there and (name not in before or path.is_dir()):
            raise IqbenchError(
                f"{path} is there, and iqbench site did not write it",
                hint="Choose an empty folder, or move that file away",
            )


def _write_beside(stage: Path, files: Mapping[str, bytes]) -> None:
    stage.mkdir()
    for name, content in files.items():
        path = stage / "new" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())


def _exchange(folder: Path, stage: Path, files: Collection[str], before: Collection[str]) -> None:
    names = list(dict.fromkeys([*before, *files]))
    (stage / _LIST).write_text(json.dumps({"names": names, "new": [*files]}), encoding="utf-8")
    for name in names:
        new, place, old = stage / "new" / name, folder / name, stage / "old" / name
        if place.is_symlink() or place.exists():
            old.parent.mkdir(parents=True, exist_ok=True)
            _set_aside(place, old, stays=name in files)
        if name in files:
            place.parent.mkdir(exist_ok=True)
            new.replace(place)
    (stage / _LIST).unlink()  # from here on there is nothing to undo


def _set_aside(place: Path, old: Path, *, stays: bool) -> None:
    """Keep an old file; where a new one replaces it, a reader finds one of the two at any time."""
    if stays:
        try:
            os.link(place, old, follow_symlinks=False)
        except OSError:  # a file system without hard links
            pass
        else:
            return
    place.replace(old)


def _put_back(folder: Path, stage: Path) -> None:
    """Undo an exchange that did not come to its end: what was moved away is moved back."""
    if not (stage / _LIST).is_file():
        return
    exchange = json.loads((stage / _LIST).read_text(encoding="utf-8"))
    for name in filter(SITE_FILE.fullmatch, exchange["names"]):
        new, place, old = stage / "new" / name, folder / name, stage / "old" / name
        if old.is_symlink() or old.exists():
            old.replace(place)
        elif name in exchange["new"] and not new.exists():
            place.unlink(missing_ok=True)  # nothing was in its place before


def _remove_empty(folder: Path) -> None:
    """Remove a folder that was made for files which were not written."""
    for path in (*(one for one in folder.glob("*") if one.is_dir()), folder):
        if not any(path.iterdir()):
            path.rmdir()
