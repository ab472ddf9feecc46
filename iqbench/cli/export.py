"""``iqbench export``: write all current scores into one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from iqbench.cli.options import filter_options, output_option, results_argument, wanted
from iqbench.cli.streams import say


@click.command()
@results_argument
@filter_options
@click.option(
    "--columns",
    metavar="NAME,...",
    help="Columns to write, in this order; with --wide, metrics.",
)
@click.option(
    "--scope",
    type=click.Choice(["image", "group", "set"]),
    default="image",
    show_default=True,
    help="Values of images; means over the images of each group (clip or scene), which is the "
    "folder in an image's id; or values of whole sets, such as fid.",
)
@click.option("--wide", is_flag=True, help="One row per image and one column per metric.")
@click.option(
    "--spreadsheet",
    is_flag=True,
    help="CSV for a spreadsheet: names that look like formulas begin with an apostrophe. The same "
    "as --format spreadsheet.",
)
@click.option(
    "--format",
    "format",
    type=click.Choice(["csv", "spreadsheet", "parquet", "jsonl"]),
    help="Format of the file; by default that of the suffix of -o.",
)
@output_option(
    "Where to write, e.g. FILE.csv, FILE.parquet, FILE.jsonl or /dev/stdout.", required=True
)
def export(
    results: Path,
    *,
    columns: str | None,
    scope: Literal["image", "group", "set"],
    wide: bool,
    spreadsheet: bool,
    format: str | None,
    output: Path,
    **filters: Any,
) -> None:
    """Write the current scores of all images into one file.

    RESULTS is a folder that `iqbench evaluate` wrote; by default results/. One row per value with
    its error, signature and protocol, or with --wide one row per image. A CSV contains names
    unchanged; open a CSV from an unknown person in a spreadsheet only if it was written with
    --spreadsheet. In JSON lines (.jsonl) missing values are null, and infinite ones "inf" and
    "-inf".

    Only the scores of one dataset and method are in memory at a time. The file appears complete or
    not at all.

    \b
    Examples:
      iqbench export -o scores.parquet
      iqbench export --wide -o scores.csv
      iqbench export --wide --columns 'psnr[protocol=rgb],ssim' -o scores.csv
      iqbench export --format csv -o /dev/stdout | gzip > scores.csv.gz
      iqbench export --scope set -o sets.csv
      iqbench export --scope group -o clips.csv
      iqbench export other-results --dataset Set5 --metric psnr -o psnr.csv
    """
    from iqbench.cli.library_warnings import told_warnings
    from iqbench.cli.progress import waiting
    from iqbench.document.files import export_format, export_frames
    from iqbench.results.opened import open_results
    from iqbench.results.read import iter_references, iter_scores, load_scores
    from iqbench.results.references import stale_among
    from iqbench.results.selector import split_selectors

    chosen = wanted(filters)
    names = None if columns is None else split_selectors(columns)
    if format == "spreadsheet":
        format, spreadsheet = "csv", True
    format = export_format(output, format)
    if spreadsheet and format != "csv":
        raise click.UsageError("--spreadsheet is for a CSV: let -o end in .csv")
    with told_warnings(), waiting("Exporting"):
        opened = open_results(results)
        if scope == "image":
            frames = iter_scores(opened, wide=wide, columns=names, filters=chosen)
        else:
            frames = iter(
                [load_scores(opened, wide=wide, columns=names, filters=chosen, scope=scope)]
            )
        rows = export_frames(frames, output, format, spreadsheet=spreadsheet)
        for images in iter_references(opened):
            stale_among(images, chosen).warn("and written beside the others")
    say(f"wrote {rows:,} rows to {output}")
