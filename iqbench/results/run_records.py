"""Records of runs while they score: their plans and their progress."""

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
_CLOCK_SECONDS = 60.0
"""By how much clocks may differ, or be set while a run goes on."""

_LATEST = 2.0**40
_MOST = 2**53
"""A moment and a count that no run comes to."""

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
            pass
        return not _is_younger(self.process, self.begun)

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


def _is_younger(process: int, moment: float) -> bool:
    """Tell whether a process began after a moment, so that it has the number of another one.

    Only Linux says it; elsewhere no process counts as younger.
    """
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        begun = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # seconds since the system began
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - begun
    except (OSError, ValueError, IndexError, AttributeError):
        return False
    return 0 <= age < time.time() - moment - _CLOCK_SECONDS


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
            # Only what is known by name: a later release may note more.
            plan = tuple(Planned(**_known(Planned, one)) for one in found["plan"])
            record = RunRecord(**_known(RunRecord, found))
            seconds, outputs = record.recent
            record = replace(record, plan=plan, recent=(seconds, outputs))
            _check(record)
        except FileNotFoundError:
            continue  # another process has deleted it
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise IqbenchError(
                f"cannot read {file}, the record of a run: {error}",
                hint="Delete it: no score is in it",
            ) from error
        yield file, record


def _known(kind: type[Planned | RunRecord], found: dict[str, Any]) -> dict[str, Any]:
    return {one.name: found[one.name] for one in fields(kind)}


def _check(record: RunRecord) -> None:
    """Refuse what no run has written: the file may be a stranger's."""
    texts = [record.command, record.shard, record.host, record.state]
    texts += [text for one in record.plan for text in (one.dataset, one.method)]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a name is not text")
    "".join(texts).encode()
    seconds, outputs = record.recent
    counts = [number for one in record.plan for number in (one.expected, one.done, one.failed)]
    if not all(_is_number(count, int, 0, _MOST) for count in (*counts, outputs)):
        raise TypeError("a number of outputs is none")
    moments = (record.begun, record.updated, seconds)
    if not all(_is_number(moment, (int, float), 0, _LATEST) for moment in moments):
        raise TypeError("a moment is none")
    if not _is_number(record.process, int, 1, 2**31 - 1):
        raise TypeError("the number of a process is none")


def _is_number(value: object, kind: Any, least: float, most: float) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and least <= value <= most
