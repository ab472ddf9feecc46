"""``iqbench datasets``: list, show, verify and fetch datasets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from iqbench.cli.options import GivenPath
from iqbench.cli.streams import print_renderable, say

if TYPE_CHECKING:
    from iqbench.datasets.fetching.verify import Verification

__all__ = ["datasets"]

_NOT_RIGHT = 1
_SHOWN = 20
"""How many problems of a dataset are printed as text; JSON has all."""

_NOTHING_HERE = "No dataset's data was found: set IQBENCH_DATA to the folder that holds it."

_COUNTS = ("scale", "images")

_FILE = click.option(
    "--datasets-file",
    type=GivenPath(path_type=Path),
    help="Datasets file; by default ./datasets.yaml if it exists, otherwise the file in iqbench.",
)
_FORMAT = click.option(
    "--format", "layout", type=click.Choice(["table", "json"]), default="table", show_default=True
)
_QUIET = click.option("-q", "--quiet", is_flag=True, help="No progress.")


@click.group()
def datasets() -> None:
    """Datasets: list, show, verify, fetch.

    The environment variable IQBENCH_DATA, or `root:` in the datasets file, says where the files
    are.

    \b
    Examples:
      iqbench datasets list --here
      iqbench datasets show Set5-x4
      iqbench datasets verify Set5-x4
    """


@datasets.command("list", short_help="List datasets, and whether their data is there.")
@click.option("--task", metavar="NAME", help="Only datasets of this task, e.g. denoising.")
@click.option("--here", is_flag=True, help="Only datasets of which some files are on this machine.")
@_FILE
@_FORMAT
def list_datasets(task: str | None, here: bool, datasets_file: Path | None, layout: str) -> None:
    """List datasets, their protocols, and whether their data is on this machine.

    \b
    Examples:
      iqbench datasets list --here
      iqbench datasets list --task denoising --format json
    """
    from iqbench.datasets.listing import overview
    from iqbench.datasets.load import load_datasets

    rows = overview(load_datasets(datasets_file).values(), task=task, here=here)
    if layout == "json":
        click.echo(json.dumps(rows, indent=2))
    elif rows:
        _print_rows(rows)
    else:
        say(_NOTHING_HERE if here else "The datasets file has no datasets.")


def _print_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a table that fits into 80 columns: no lines, and one space between columns."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from iqbench.document.terminal import Window

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    for heading in rows[0]:
        justify: Literal["left", "right"] = "right" if heading in _COUNTS else "left"
        table.add_column(heading, no_wrap=heading == "dataset", justify=justify)
    for row in rows:
        table.add_row(*(Text(_words(value)) for value in row.values()))
    print_renderable(table, Window.of_stdout().width)


@datasets.command("show", short_help="Show all that is known of a dataset.")
@click.argument("name")
@_FILE
@_FORMAT
def show_dataset(name: str, datasets_file: Path | None, layout: str) -> None:
    """Show a dataset: its origin, licence, citation and the location of its data.

    Example: iqbench datasets show Set5-x4
    """
    from iqbench.datasets.listing import describe
    from iqbench.datasets.load import load_datasets, select

    row = describe(select(load_datasets(datasets_file), [name])[0])
    if layout == "json":
        click.echo(json.dumps([row], indent=2))
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for heading, value in row.items():
        if value not in (None, "", []):
            table.add_row(heading, Text(_words(value)))
    print_renderable(table)


@datasets.command("verify", short_help="Read every file of datasets; name problems.")
@click.argument("names", nargs=-1, metavar="[NAME ...]")
@click.option("--decode", is_flag=True, help="Also decode the pixels of every image.")
@_FILE
@_FORMAT
@_QUIET
def verify_datasets(
    names: tuple[str, ...], decode: bool, datasets_file: Path | None, layout: str, quiet: bool
) -> None:
    """Read every file of datasets, and name missing, damaged, changed, duplicated or extra files.

    Without names, all datasets are read of which some files are on this machine. If iqbench has the
    digests of the published files, they are compared; otherwise it says that the contents are not
    known. Exits with 1 if there is a problem.

    \b
    Examples:
      iqbench datasets verify Set5-x4
      iqbench datasets verify --decode --format json
    """
    from iqbench.cli.progress import progress_bar
    from iqbench.datasets.fetching.verify import verify
    from iqbench.datasets.load import load_datasets, select

    specs = load_datasets(datasets_file)
    chosen = select(specs, names) if names else list(specs.values())
    with progress_bar(quiet=quiet, unit="files") as bar:
        results = [verify(spec, decode=decode, progress=bar) for spec in chosen]
    if not names:
        results = [result for result in results if not result.absent]
        if not results:
            say(_NOTHING_HERE)
    if layout == "json":
        click.echo(json.dumps([result.row() for result in results], indent=2))
    else:
        for result in results:
            _print_verification(result)
    if any(result.problems for result in results):
        click.get_current_context().exit(_NOT_RIGHT)


@datasets.command("fetch", short_help="Fetch datasets that have a public address.")
@click.argument("names", nargs=-1, required=True, metavar="NAME ...")
@_FILE
@_QUIET
def fetch_datasets(names: tuple[str, ...], datasets_file: Path | None, quiet: bool) -> None:
    """Fetch datasets that have a public address, verified by their digests.

    Existing files are kept, and an interrupted download continues. For datasets without a public
    address, the command says where to get them and where to put them.

    Example: iqbench datasets fetch Set5-x4 Set14-x4
    """
    from iqbench.cli.progress import progress_bar
    from iqbench.datasets.fetching.fetch import fetch
    from iqbench.datasets.load import load_datasets, select
    from iqbench.document.text import printable

    for spec in select(load_datasets(datasets_file), names):
        if spec.fetch:
            terms = spec.licence or "not stated"
            say(printable(f"{spec.name}: licence: {terms}. {spec.home}"))
        with progress_bar(quiet=quiet, unit="files") as bar:
            done = fetch(spec, progress=bar)
        kept = f", {done.kept} already there" if done.kept else ""
        click.echo(printable(f"{spec.name}: {done.fetched} files fetched{kept}"))


def _print_verification(result: Verification) -> None:
    from iqbench.document.text import printable

    images = f"{result.images} references"
    if result.outputs:
        images += f", {result.outputs} distorted images"
    colour = "red" if result.problems else "green"
    click.secho(printable(result.verdict), fg=colour, nl=False)
    how = "read and decoded" if result.decoded else "read"
    click.echo(printable(f"  {result.dataset}: {images}; {result.checked} files {how}"))
    for problem in result.problems[:_SHOWN]:
        click.echo(printable(f"  {problem.kind}: {problem.file}: {problem.problem}"))
    if len(result.problems) > _SHOWN:
        click.echo(f"  and {len(result.problems) - _SHOWN} more: --format json has them all")
    for note in result.notes[:_SHOWN]:
        click.echo(printable(f"  note: {note}"))


def _words(value: Any) -> str:
    from iqbench.document.text import printable

    if isinstance(value, dict):
        return ", ".join(f"{key}: {_words(part)}" for key, part in value.items())
    if isinstance(value, list):
        return " ".join(map(_words, value))
    return "" if value is None else printable(str(value))
