"""The options of a paper's table, and the layout that the options and a file describe together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from iqbench.cli.options import GivenPath, assignments

if TYPE_CHECKING:
    from iqbench.boards.table_layout import TableLayout

__all__ = ["table_layout", "table_options"]

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS = {
    "layout": click.option(
        "--layout",
        type=click.Choice(["paper"]),
        help="paper: one table of all datasets, methods in rows, datasets and scales as groups of "
        "columns.",
    ),
    "table": click.option(
        "--table",
        type=GivenPath(path_type=Path),
        metavar="FILE.yaml",
        help="Read the options below from a file; options on the command line replace those in "
        "the file. Implies --layout paper.",
    ),
    "order": click.option(
        "--order",
        metavar="METHOD,...",
        help="Methods in the first rows, in this order; the others follow by their average rank.",
    ),
    "names": click.option(
        "--name",
        "names",
        multiple=True,
        metavar="OLD=NEW",
        help="Another name for a method, dataset or column in the table: psnr=PSNR. May be "
        "repeated.",
    ),
    "caption": click.option("--caption", metavar="TEXT", help="Caption of the table."),
    "label": click.option(
        "--label", metavar="NAME", help="Label of the table in LaTeX, e.g. tab:sr."
    ),
    "decimals": click.option(
        "--decimals",
        multiple=True,
        metavar="N|METRIC=N",
        help="Digits after the decimal point, for all columns or for one. May be repeated.",
    ),
    "arrows": click.option(
        "--arrows/--no-arrows", default=None, help="Whether headings have arrows; by default yes."
    ),
    "wide": click.option(
        "--wide/--no-wide",
        default=None,
        help="Whether the LaTeX table spans both columns of a page; by default no.",
    ),
    "size": click.option(
        "--size",
        type=click.Choice(["small", "footnotesize", "scriptsize", "tiny"]),
        help="Font size of the table in LaTeX.",
    ),
    "any_protocol": click.option(
        "--any-protocol",
        is_flag=True,
        default=None,
        help="Compare published and imported values with the others even if they state another "
        "protocol.",
    ),
}


def table_options(command: _Command) -> _Command:
    """Add the options of a paper's table; see `table_layout`."""
    for option in reversed(_OPTIONS.values()):
        command = option(command)
    return command


def table_layout(options: dict[str, Any]) -> TableLayout | None:
    """Read the options of a paper's table, and the file that they name; None where none is asked.

    Raises
    ------
    click.UsageError
        Where there are options of such a table and none is asked for.
    """
    given = {name: options[name] for name in _OPTIONS if options[name] not in (None, ())}
    asked = given.pop("layout", None)
    file = given.pop("table", None)
    if asked is None and file is None:
        if given:
            name = next(iter(given)).replace("_", "-")
            raise click.UsageError(
                f"--{'name' if name == 'names' else name} belongs to --layout paper"
            )
        return None
    from iqbench.boards.table_layout import read_table_layout
    from iqbench.results.selector import split_selectors

    if "order" in given:
        given["order"] = split_selectors(given["order"])
    if "names" in given:
        given["names"] = assignments(given["names"], "--name")
    if "decimals" in given:
        given["decimals"] = _decimals(given["decimals"])
    return read_table_layout(file, given)


def _decimals(texts: tuple[str, ...]) -> int | dict[str, int]:
    """Read ``2``, or ``psnr=2`` and ``ssim=4``."""
    if len(texts) == 1 and texts[0].strip().isdecimal():
        return int(texts[0])
    found = {}
    for name, text in assignments(texts, "--decimals").items():
        if not text.isdecimal():
            raise click.BadParameter(f"{text!r} is not a number", param_hint="--decimals")
        found[name] = int(text)
    return found
