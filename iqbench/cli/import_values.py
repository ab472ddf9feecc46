"""``iqbench import``: add values of other tools to the tables."""

from __future__ import annotations

from pathlib import Path

import click

from iqbench.cli.options import PLACE, GivenPath
from iqbench.cli.streams import say

__all__ = ["import_values"]


@click.command("import", short_help="Add values of other tools to the tables.")
@click.argument("file", type=GivenPath(path_type=Path))
@click.option(
    "--results",
    type=PLACE,
    default="results",
    show_default=True,
    help="Results folder.",
)
@click.option("--dataset", metavar="NAME", help="Dataset of all values, if no column gives it.")
@click.option("--method", metavar="NAME", help="Method of all values, if no column gives it.")
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    help="Import only this metric; or, if the file has a column of values and none of metrics, "
    "the name of its metric. May be repeated.",
)
@click.option(
    "--direction",
    "directions",
    multiple=True,
    metavar="METRIC=higher|lower|target:X|none",
    help="Direction of a metric, if the file does not have it. May be repeated.",
)
@click.option(
    "--cost",
    "costs",
    multiple=True,
    metavar="METRIC",
    help="This metric is a cost: lower is better. Known costs are runtime, params, flops, macs, "
    "memory, ... May be repeated.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="ROLE=NAME",
    help="Column of the file for a role, if its name differs, e.g. image=filename. May be "
    "repeated.",
)
def import_values(
    file: Path,
    *,
    results: str,
    dataset: str | None,
    method: str | None,
    metrics: tuple[str, ...],
    directions: tuple[str, ...],
    costs: tuple[str, ...],
    columns: tuple[str, ...],
) -> None:
    """Add values of other tools to the tables.

    FILE ends in .csv, .tsv, .jsonl (one JSON object a line) or .parquet. It is long, with columns
    image, method, metric, value; or wide, with image, method and one column per metric. Columns
    dataset, direction and protocol are optional. The values of images are tied to the files in the
    tables: when an image changes, its imported values are no longer shown. Without a column image,
    the values are those of whole methods, e.g. params and flops. With a column source, they are
    means that a paper gives for a method on a dataset, and leaderboards mark their rows as
    published. An import replaces earlier imports of its metrics.

    \b
    Examples:
      iqbench import musiq.csv --direction musiq=higher
      iqbench import times.jsonl --dataset Set5 --method swinir --metric runtime
      iqbench import costs.csv
      iqbench import scores.csv --column image=filename --method swinir
    """
    from iqbench.document.text import plural
    from iqbench.results import importing

    found = importing.import_values(
        file,
        results,
        dataset=dataset,
        method=method,
        metrics=metrics,
        directions=_pairs(directions, "--direction"),
        costs=costs,
        columns=_pairs(columns, "--column"),
    )
    for note in found.notes:
        say(note, label="warning", color="yellow")
    values = plural(found.values, "value")
    say(f"imported {values} of {', '.join(found.columns)} into {results}")


def _pairs(texts: tuple[str, ...], option: str) -> dict[str, str]:
    """Split NAME=VALUE at the last equals sign: names of metrics may have some."""
    found = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        if not (equals and name and value):
            raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint=option)
        found[name.strip()] = value.strip()
    return found
