"""``iqbench weights``: list, fetch and show pretrained weights."""

from __future__ import annotations

from pathlib import Path

import click

from iqbench.cli.options import GivenPath
from iqbench.cli.streams import print_renderable

__all__ = ["weights"]

_FOLDER = GivenPath(file_okay=False, path_type=Path)


@click.group()
def weights() -> None:
    """Pretrained weights: list, fetch, show.

    iqbench searches the folder given by --weights, then $IQBENCH_WEIGHTS, then the cache
    ($IQBENCH_CACHE). Weights that are in none of them are fetched into the cache, unless
    $IQBENCH_OFFLINE is set.

    \b
    Examples:
      iqbench weights list
      iqbench weights fetch
      iqbench weights show vgg16
    """


@weights.command("list")
@click.option("--weights", "folder", type=_FOLDER, help="Folder to search first for weight files.")
@click.option(
    "--format", "layout", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def list_weights(folder: Path | None, layout: str) -> None:
    """List all networks, and whether their weights are on this machine.

    Example: iqbench weights list --format json
    """
    from iqbench.networks.weights.listing import overview

    rows = overview(folder)
    if layout == "json":
        import json

        click.echo(json.dumps(rows, indent=2))
        return
    import pandas as pd

    from iqbench.document.records import render_records
    from iqbench.document.terminal import Window

    places: dict[str, list[str]] = {}
    for row in rows:
        if row["file"]:
            places.setdefault(str(Path(row["file"]).parent), []).append(row["network"])
    shown = [
        {
            "network": row["network"],
            "status": row["status"],
            "digest": row["digest"][:12],
            "fetched from": row["source"],
            "used by default": row["used_by"],
        }
        for row in rows
    ]
    window = Window.of_stdout()
    table = render_records(pd.DataFrame(shown), "table", window=window)
    click.echo(table, color=window.color)
    for place, names in places.items():
        click.echo(f"{place}: {', '.join(names)}")


@weights.command("fetch")
@click.argument("networks", metavar="[NETWORK]...", nargs=-1)
@click.option("--weights", "folder", type=_FOLDER, help="Put the files here instead of the cache.")
@click.option("--force", is_flag=True, help="Also fetch files that exist already.")
def fetch_weights(networks: tuple[str, ...], folder: Path | None, force: bool) -> None:
    """Fetch weights; by default those that the default metrics need.

    Example: iqbench weights fetch vgg19 resnet50
    """
    from iqbench.networks.weights import DEFAULT_NETWORKS, fetch

    files = fetch(networks or DEFAULT_NETWORKS, folder=folder, force=force)
    for name, path in files.items():
        click.echo(f"{name}: {path}")


@weights.command("show")
@click.argument("network")
@click.option("--weights", "folder", type=_FOLDER, help="Folder to search first for weight files.")
def show_weights(network: str, folder: Path | None) -> None:
    """Show one network's file, its digest, origin, tensors and licence.

    Example: iqbench weights show vgg16
    """
    from rich.table import Table
    from rich.text import Text

    from iqbench.document.text import printable
    from iqbench.networks.weights.listing import describe

    table = Table(show_header=False, box=None)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for heading, text in describe(network, folder).items():
        table.add_row(heading, Text(printable(text)))
    print_renderable(table)
