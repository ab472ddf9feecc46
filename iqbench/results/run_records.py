"""What runs note of themselves while they score: what they plan, and how far they are."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from iqbench.errors import IqbenchError
from iqbench.user_files import replace_file

__all__ = ["FOLDER", "Planned", "RunRecord", "read_run_records", "sweep_run_records"]

FOLDER = "runs"
"""Folder in the results folder with one file per run."""

_KEPT_SECONDS = 24 * 3600
_SILENT_SECONDS = 600.0
"""A run on another machine that has noted nothing for so long counts as stopped."""


@dataclass(frozen=True)
class Planned:
    """Outputs of a method on a dataset that a run is to score.

    Attributes
    ----------
    dataset, method
        Whose.
    expected
        How many there are, of the run's shard.
    done, failed
        How many were scored or were in the tables already, and how many could not be scored.
    """

    dataset: str
    method: str
    expected: int
    done: int = 0
    failed: int = 0

    @property
    def remaining(self) -> int:
        """How many are still to come."""
        return max(self.expected - self.done - self.failed, 0)


@dataclass(frozen=True)
class RunRecord:
    """How far a run is.

    Attributes
    ----------
    command, shard
        The command line, and ``i/n``; empty for all images.
    host, process
        Who runs it.
    begun, updated
        When it began to score, and when it noted this: seconds since 1970.
    state
        ``running``, or why it stopped. The record of a run that ends well is deleted.
    plan
        By dataset and method.
    recent
        Seconds and outputs of the last minute or so.
    """

    command: str
    shard: str
    host: str
    process: int
    begun: float
    updated: float
    state: str
    plan: tuple[Planned, ...]
    recent: tuple[float, int] = field(default=(0.0, 0))

    @property
    def expected(self) -> int:
        """How many outputs it is to score."""
        return sum(one.expected for one in self.plan)

    @property
    def done(self) -> int:
        """How many it has scored or found in the tables."""
        return sum(one.done for one in self.plan)

    @property
    def failed(self) -> int:
        """How many could not be scored."""
        return sum(one.failed for one in self.plan)

    @property
    def remaining(self) -> int:
        """How many are still to come."""
        return sum(one.remaining for one in self.plan)

    @property
    def rate(self) -> float:
        """Outputs a second, of the last minute or so; of the whole run before that."""
        seconds, outputs = self.recent
        if seconds <= 0:
            seconds, outputs = self.updated - self.begun, self.done + self.failed
        return outputs / seconds if seconds > 0 else 0.0

    @property
    def alive(self) -> bool:
        """Tell whether it goes on, as far as this machine can know."""
        if self.state != "running":
            return False
        if self.host != platform.node():
            return time.time() - self.updated < _SILENT_SECONDS
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return False
        except OSError:  # it is another user's
            return True
        return True

    @property
    def told_state(self) -> str:
        """Say how it stands: a process that died could not note it."""
        return "stopped" if self.state == "running" and not self.alive else self.state

    def write(self, file: Path) -> None:
        """Write the record; one that cannot be written ends no run.

        Parameters
        ----------
        file
            Of this run; it is replaced at one moment.
        """
        content = json.dumps(asdict(self), ensure_ascii=False).encode()
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            replace_file(file, content, durable=False)


def read_run_records(root: Path) -> list[RunRecord]:
    """Read the records of a results folder, the oldest run first.

    Raises
    ------
    IqbenchError
        Where one is damaged.
    """
    return [record for _, record in _records(root)]


def sweep_run_records(root: Path) -> None:
    """Delete the records of runs that stopped a day ago or before."""
    with suppress(IqbenchError):
        for file, record in list(_records(root)):
            if not record.alive and time.time() - record.updated > _KEPT_SECONDS:
                file.unlink(missing_ok=True)


def _records(root: Path) -> Iterator[tuple[Path, RunRecord]]:
    for file in sorted((root / FOLDER).glob("*.json")):
        if file.name.startswith("."):
            continue
        try:
            found: dict[str, Any] = json.loads(file.read_bytes())
            plan = tuple(Planned(**one) for one in found["plan"])
            known = {one.name: found[one.name] for one in fields(RunRecord)}
            record = RunRecord(**known)
            seconds, outputs = record.recent
            record = replace(record, plan=plan, recent=(float(seconds), int(outputs)))
            _check(record)
        except FileNotFoundError:
            continue  # another process has deleted it
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise IqbenchError(
                f"cannot read {file}, the record of a run: {error}",
                hint="Delete it: no score is in it",
            ) from error
        yield file, record


def _check(record: RunRecord) -> None:
    """Refuse what no run has written: the file may be a stranger's."""
    texts = [record.command, record.shard, record.host, record.state]
    texts += [text for one in record.plan for text in (one.dataset, one.method)]
    numbers = [record.begun, record.updated, record.process]
    numbers += [number for one in record.plan for number in (one.expected, one.done, one.failed)]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a name is not text")
    if not all(isinstance(number, (int, float)) for number in numbers) or record.process <= 0:
        raise TypeError("a number is none")
