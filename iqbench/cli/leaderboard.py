"""``iqbench leaderboard``: compare methods, dataset by dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from iqbench.cli.options import (
    filter_options,
    format_option,
    output_option,
    results_argument,
    wanted,
)

_SUFFIXES = {".md": "markdown", ".csv": "csv", ".json": "json"}


@click.command()
@results_argument
@filter_options
@click.option(
    "--sort",
    metavar="METRIC",
    help="Rank by this metric; by default by the first column that has a direction.",
)
@click.option(
    "--columns",
    type=click.Choice(["headline", "all"]),
    help="Which metrics to show; by default the headline ones, and all in csv and json.",
)
@format_option("table", "markdown", "csv", "json")
@output_option("Write to this file instead of printing.")
def leaderboard(
    results: Path,
    sort: str | None,
    columns: str | None,
    format: str | None,
    output: Path | None,
    **filters: Any,
) -> None:
    """Compare methods by their mean scores, dataset by dataset.

    RESULTS is a folder that `iqbench evaluate` wrote; by default results/. A method that lacks a
    value in any shown column is incomplete: it is listed, but not ranked. Arrows say what is
    better: ↑ higher, ↓ lower, →1 closer to 1; a column without arrow ranks nothing.

    \b
    Examples:
      iqbench leaderboard
      iqbench leaderboard --dataset Set5 --dataset Set14 --sort lpips-alex
      iqbench leaderboard --metric psnr --metric ssim --format markdown
      iqbench leaderboard other-results -o board.csv
    """  # noqa: D301 - click marks text that is not to be rewrapped with a backspace
    from iqbench.report.board import render_leaderboard
    from iqbench.report.files import write_text
    from iqbench.report.overview import read_leaderboard
    from iqbench.report.terminal import Window

    format = format or _SUFFIXES.get(output.suffix.lower() if output else "", "table")
    every = columns == "all" or (columns is None and format in ("csv", "json"))
    found = read_leaderboard(results, wanted(filters), sort=sort, every=every)
    window = Window() if output else Window.of_stdout()
    text = render_leaderboard(
        found.board, found.columns, format, sort=sort, hidden=found.hidden, window=window
    )
    if output is None:
        click.echo(text, nl=False, color=window.color)
    else:
        write_text(output, text)
        click.echo(f"wrote {output}", err=True)
