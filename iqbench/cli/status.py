"""``iqbench status``: show the progress of runs that score into a results folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from iqbench.cli.options import (
    format_of,
    format_option,
    output_option,
    place_options,
    results_argument,
)
from iqbench.cli.streams import deliver

if TYPE_CHECKING:
    import pandas as pd

    from iqbench.document.model import Document
    from iqbench.results.progress import ResultsProgress

__all__ = ["status"]


@click.command(short_help="Show the progress of runs while they score.")
@results_argument
@place_options
@format_option("table", "markdown", "csv", "spreadsheet", "json", "latex", "html")
@output_option()
def status(
    results: Path,
    *,
    dataset: tuple[str, ...],
    method: tuple[str, ...],
    format: str | None,
    output: Path | None,
) -> None:
    """Show the progress of runs into a results folder, by dataset and method, and by run.

    RESULTS is a folder into which `iqbench evaluate` writes; by default results/. Any number of
    runs may write into it, on all machines that can see the folder.

    \b
    Columns:
      done       images that were scored
      failed     images that could not be scored; iqbench evaluate says why
      remaining  images that are not scored yet; if no run is active, start one
      rate       outputs per second in the last minute; left: the remaining time

    Below the table: the runs that are still running, and those that stopped in the last day.

    \b
    Examples:
      iqbench status
      iqbench status results/ --dataset DIV2K
      watch -n 10 iqbench status results/
      iqbench status --format json
    """
    from iqbench.cli.progress import waiting
    from iqbench.document.render import render
    from iqbench.document.terminal import Window
    from iqbench.results.progress import read_progress

    format = format or format_of(output)
    window = Window() if output else Window.of_stdout()
    with waiting("Reading"):
        found = read_progress(results, {"dataset": dataset, "method": method})
    text = render(_document(found), format, window=window)
    deliver(text, format, output, color=window.color)


def _document(found: ResultsProgress) -> Document:
    """Arrange how far everything is."""
    import time

    from iqbench.document.model import Document, Section, numbers, texts
    from iqbench.document.text import duration, plural, seconds_text

    methods = found.methods
    names = ("expected", "done", "failed", "remaining")
    table = Section(
        "",
        columns=[
            texts("dataset", (one.dataset for one in methods)),
            texts("method", (one.method for one in methods)),
            *(numbers(name, (getattr(one, name) for one in methods), 0) for name in names),
            numbers("rate", (one.rate for one in methods), 1),
            texts("left", (duration(one.remaining, one.rate) for one in methods)),
        ],
        fixed=2,
    )
    now = time.time()
    runs = Section(
        "Runs",
        columns=[
            texts("state", (run.told_state for run in found.runs)),
            texts("since", (seconds_text(now - run.begun) for run in found.runs)),
            texts("where", (f"{run.host} {run.process}" for run in found.runs)),
            texts("shard", (run.shard or "all" for run in found.runs)),
            *(numbers(name, (getattr(run, name) for run in found.runs), 0) for name in names),
            numbers("rate", (run.rate for run in found.runs), 1),
            texts("command", (run.command for run in found.runs)),
        ],
    )
    left = duration(found.remaining, found.rate)
    facts = [
        f"{sum(one.done for one in methods):,} of "
        f"{plural(sum(one.expected for one in methods), 'image')} done",
        f"{sum(one.failed for one in methods):,} failed",
        f"{found.remaining:,} remaining",
    ]
    if found.rate:
        facts += [f"{found.rate:,.1f} a second", f"{left} left"]
    elif found.remaining:
        alive = sum(run.alive for run in found.runs)
        going = {0: "no run goes on", 1: "1 run goes on"}.get(alive, f"{alive:,} runs go on")
        facts.append(going)
    return Document(
        [table, *([runs] if found.runs else [])],
        facts=", ".join(facts),
        records=_records(found),
        page="iqbench status",
    )


def _records(found: ResultsProgress) -> pd.DataFrame:
    """Give a row for each dataset and method, and one for each run: its state is not empty."""
    import time
    from dataclasses import asdict

    import pandas as pd

    rows = [asdict(one) | {"left": _left(one.remaining, one.rate)} for one in found.methods]
    now = time.time()
    names = ("expected", "done", "failed", "remaining", "rate")
    rows += [
        {name: getattr(run, name) for name in names}
        | {"left": _left(run.remaining, run.rate), "state": run.told_state}
        | {"since": now - run.begun, "host": run.host, "process": run.process}
        | {"shard": run.shard or "all", "command": run.command}
        for run in found.runs
    ]
    frame = pd.DataFrame(rows)
    return frame.astype({"process": "Int64"}) if found.runs else frame


def _left(remaining: int, rate: float) -> float | None:
    """Say how many seconds are left, where that is known."""
    return remaining / rate if rate else None
