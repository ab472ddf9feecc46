"""``site.json``: the record of a build, for the next build and for other programs.

It contains the names of the pages of datasets, the files of the site, the facts about methods, and
the versions.
"""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from iqbench.errors import IqbenchError
from iqbench.site.write_folder import SITE_FILE
from iqbench.user_files import open_regular

__all__ = ["RECORD", "SiteRecord", "Version", "read_record"]

RECORD = "site.json"
_FORMAT = 1
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_LARGEST = 2**27


class Version(BaseModel):
    """What a build wrote.

    Attributes
    ----------
    number
        From 1.
    time
        Of the build, UTC.
    iqbench
        The release that made it.
    note
        What its author says of it.
    datasets, methods
        How many there were.
    changes
        What is other than in the version before, a sentence each.
    table
        The file that keeps the leaderboard of this version, or that of an earlier one where nothing
        has changed since; empty where somebody has deleted it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int = Field(ge=1)
    time: str
    iqbench: str
    note: str = ""
    datasets: int
    methods: int
    changes: list[str]
    table: str

    @field_validator("table")
    @classmethod
    def _within(cls, name: str) -> str:
        if name and not SITE_FILE.fullmatch(name):
            raise ValueError(f"{name!r} is not a file of a site")
        return name


class SiteRecord(BaseModel):
    """The whole of ``site.json``.

    Attributes
    ----------
    format
        Of this file.
    title
        Of the site.
    pages
        By dataset, what its files are called; also of those that are gone.
    files
        All files of the site but this one.
    facts
        By method, what ``methods.yaml`` says.
    versions
        The newest last.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = Field(default=_FORMAT, ge=1, le=_FORMAT)
    title: str
    pages: dict[str, str]
    files: list[str]
    facts: dict[str, dict[str, str]]
    versions: list[Version]

    @field_validator("files")
    @classmethod
    def _own(cls, files: list[str]) -> list[str]:
        for name in files:
            if not SITE_FILE.fullmatch(name):
                raise ValueError(f"{name!r} is not a file of a site")
        return files

    @field_validator("pages")
    @classmethod
    def _plain(cls, pages: dict[str, str]) -> dict[str, str]:
        for name in pages.values():
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a name of a page")
        return pages


_EMPTY = SiteRecord(title="", pages={}, files=[], facts={}, versions=[])


def read_record(folder: Path) -> SiteRecord:
    """Read what the build before left in a folder; an empty record where there was none.

    Raises
    ------
    IqbenchError
        Where the file cannot be read, or is none of this release's.
    """
    path = folder / RECORD
    if not path.is_symlink() and not path.exists():
        return _EMPTY
    hint = "Restore the file, or build into an empty folder: its history begins again there"
    try:
        with open_regular(path) as file:
            text = file.read(_LARGEST)
        return SiteRecord.model_validate_json(text)
    except OSError as error:
        raise IqbenchError(f"cannot read {path}: {error.strerror}", hint=hint) from error
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in problem["loc"])
        what = problem["msg"].removeprefix("Value error, ")
        raise IqbenchError(
            f"{path} is not what iqbench site writes: {key or 'file'}: {what}", hint=hint
        ) from error
