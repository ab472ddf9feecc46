"""``iqbench datasets``: which datasets there are, and whether their data is on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

__all__ = ["datasets"]

_FILE = click.option(
    "--datasets-file",
    type=click.Path(path_type=Path),
    help="Read this file; else ./datasets.yaml, else the one that comes with iqbench.",
)
_FORMAT = click.option(
    "--format", "layout", type=click.Choice(["table", "json"]), default="table", show_default=True
)


@click.group()
def datasets() -> None:
    """Datasets: list, show.

    Where data lies is said by the environment variable IQBENCH_DATA or by `root:` in the datasets
    file.
    """


@datasets.command("list")
@_FILE
@_FORMAT
def list_datasets(datasets_file: Path | None, layout: str) -> None:
    """List all datasets, how they are scored, and whether their data is there.

    Example: iqbench datasets list --format json
    """
    from iqbench.datasets.listing import overview
    from iqbench.datasets.load import load_datasets

    rows = overview(load_datasets(datasets_file).values())
    if layout == "json":
        import json

        click.echo(json.dumps(rows, indent=2))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*rows[0]) if rows else Table()
    for row in rows:
        table.add_row(*(Text(_words(value)) for value in row.values()))
    Console().print(table)


@datasets.command("show")
@click.argument("name")
@_FILE
@_FORMAT
def show_dataset(name: str, datasets_file: Path | None, layout: str) -> None:
    """Show all that is known of a dataset: origin, licence, citation, where its data is.

    Example: iqbench datasets show Set5-x4
    """
    from iqbench.datasets.listing import describe
    from iqbench.datasets.load import load_datasets, select

    row = describe(select(load_datasets(datasets_file), [name])[0])
    if layout == "json":
        import json

        click.echo(json.dumps([row], indent=2))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for heading, value in row.items():
        if value not in (None, ""):
            table.add_row(heading, Text(_words(value)))
    Console().print(table)


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_words(part)}" for key, part in value.items())
    if isinstance(value, list):
        return " ".join(value)
    return "" if value is None else str(value)
