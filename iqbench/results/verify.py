"""Read every file of a results folder, and report changed files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal, get_args

from iqbench.errors import IqbenchError
from iqbench.results.extractor_files import extractor_parts
from iqbench.results.part_file import ChecksumError, checksum_in_name, read_part
from iqbench.results.parts import TableParts, list_parts
from iqbench.results.schema import Kind
from iqbench.results.sets import reference_set_files

__all__ = ["PartState", "State", "verify_results"]

State = Literal["ok", "no checksum", "differs", "unreadable"]
"""``no checksum``: readable, but an older release wrote it, so that damage may go unseen."""


@dataclass(frozen=True)
class PartState:
    """What was found of a part, or of a folder of parts.

    Attributes
    ----------
    part
        The file; a folder where its parts do not fit together.
    state
        See `State`.
    rows
        How many it holds; None where it cannot be read.
    problem, hint
        What is wrong, and what to do; empty where nothing is.
    """

    part: Path
    state: State
    rows: int | None = None
    problem: str = ""
    hint: str = ""

    @property
    def bad(self) -> bool:
        """Say whether something is wrong."""
        return self.state in ("differs", "unreadable")


def verify_results(root: Path) -> Iterator[PartState]:
    """Read every part of a results folder whole.

    Parameters
    ----------
    root
        The results folder.

    Yields
    ------
    PartState
        One a part, and one for each folder whose parts do not fit together.

    Raises
    ------
    IqbenchError
        Where there are no parts at all.
    """
    some = False
    for kind in get_args(Kind):
        for folder in sorted((root / kind).glob("*/*")):
            found = [_look(part, kind) for part in list_parts(folder)]
            yield from (one for one in found if one is not None)
            some |= bool(found)
            if found and not any(one is not None and one.bad for one in found):
                yield from _together(folder, kind)
            if kind == "scores" and found:
                yield from _traced(folder, root / "images" / folder.relative_to(root / kind))
    for part, rows, wrong in chain(extractor_parts(root), reference_set_files(root)):
        if wrong is None:
            yield PartState(part, "ok", rows)
        else:
            state: State = "differs" if isinstance(wrong, ChecksumError) else "unreadable"
            yield PartState(part, state, None, wrong.message, wrong.hint)
    if not some:
        raise IqbenchError(f"there are no results in {root}", hint="Name a results folder")


def _look(part: Path, kind: Kind) -> PartState | None:
    """Read a part; None where another process has merged it meanwhile."""
    try:
        table, _ = read_part(part, kind)
    except FileNotFoundError:
        return None
    except IqbenchError as error:
        state: State = "differs" if isinstance(error, ChecksumError) else "unreadable"
        return PartState(part, state, None, error.message, error.hint)
    return PartState(part, "ok" if checksum_in_name(part) else "no checksum", table.num_rows)


def _traced(folder: Path, images: Path) -> Iterator[PartState]:
    if not list_parts(images):
        yield PartState(
            folder,
            "unreadable",
            None,
            f"{folder} holds scores, but {images}, which says what they were computed from, is "
            "missing or empty",
            "Put that folder back; or delete the scores and run iqbench evaluate again",
        )


def _together(folder: Path, kind: Kind) -> Iterator[PartState]:
    try:
        TableParts(folder, kind).footer()
    except IqbenchError as error:
        yield PartState(folder, "unreadable", None, error.message, error.hint)
