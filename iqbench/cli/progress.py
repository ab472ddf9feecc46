"""Progress of long work on stderr; nothing if stderr is not a terminal, or with ``--quiet``."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from iqbench.cli.streams import say
from iqbench.document.text import duration, printable
from iqbench.engine.reporter import Reporter, SilentReporter

__all__ = ["progress_bar", "waiting"]

LINE_SECONDS = 60.0
"""Seconds between two lines where there is no terminal."""

PATIENCE = 1.0
"""Seconds after which a user wants to see that something is done."""


class _MinuteLines:
    """Where stderr is not a terminal: a line per minute, for logs."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._what = ""
        self._total = self._done = 0
        self._begun = self._told = time.monotonic()

    def begin(self, what: str, total: int) -> None:
        """Begin to count."""
        self._what, self._total, self._done = what, total, 0
        self._begun = time.monotonic()

    def advance(self, done: int) -> None:
        """Count, and say a minute after the last line how far it is."""
        self._done += done
        now = time.monotonic()
        if now - self._told < LINE_SECONDS:
            return
        self._told = now
        rate = self._done / max(now - self._begun, 1e-9)
        left = duration(self._total - self._done, rate)
        parts = [
            f"{printable(self._what)}: {self._done:,} of {self._total:,} {self._unit}",
            *([text] if (text := _rate(rate, self._unit)) else []),
            *([f"{left} left"] if left else []),
        ]
        say(f"{time.strftime('%H:%M:%S')} {', '.join(parts)}")


class _Lines:
    """Where stderr is not a terminal: one line for each stretch of work."""

    def __init__(self, unit: str) -> None:
        self._unit = unit

    def begin(self, what: str, total: int) -> None:
        """Say what begins."""
        say(f"{what}: {total} {self._unit}")

    def advance(self, done: int) -> None:
        """Show nothing."""


def _rate(speed: float | None, unit: str) -> str:
    """Spell a rate; slow work is told by how long one takes."""
    if not speed:
        return ""
    if speed >= 1:
        return f"{speed:.1f} {unit}/s"
    return f"{1 / speed:.1f} s/{unit.removesuffix('s')}"


def _told_to_be_quiet() -> bool:
    context = click.get_current_context(silent=True)
    return bool(context and context.find_root().params.get("quiet"))


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show that a command is at work and for how long, if it takes more than a second.

    For work that cannot say how much of it is left. Nothing is shown if stderr is not a terminal or
    after ``iqbench --quiet``. The message is removed at the end.

    Parameters
    ----------
    what
        What is being done.
    """
    if _told_to_be_quiet() or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    progress.add_task(printable(what), total=None)
    timer = threading.Timer(PATIENCE, progress.start)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # so that it cannot start after it was stopped
        progress.stop()


@contextmanager
def progress_bar(
    *, quiet: bool = False, lines: bool = False, unit: str = "outputs"
) -> Iterator[Reporter]:
    """Show a bar with rate and remaining time while the work runs.

    Parameters
    ----------
    quiet
        Show nothing; nor is anything shown after ``iqbench --quiet``.
    lines
        Where stderr is not a terminal, print a line for each stretch of work; else one per minute.
    unit
        What is counted.
    """
    quiet = quiet or _told_to_be_quiet()
    if quiet or not sys.stderr.isatty():
        if quiet:
            yield SilentReporter()
        else:
            yield _Lines(unit) if lines else _MinuteLines(unit)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class _Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(_rate(task.finished_speed or task.speed, unit))

    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(stderr=True),
    )

    class _Rich:
        def __init__(self) -> None:
            self._task: TaskID | None = None

        def begin(self, what: str, total: int) -> None:
            self._task = progress.add_task(printable(what), total=total)

        def advance(self, done: int) -> None:
            if self._task is not None:
                progress.advance(self._task, done)

    with progress:
        yield _Rich()
