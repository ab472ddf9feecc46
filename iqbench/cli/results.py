"""``iqbench results``: look after a results folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from iqbench.cli.options import results_argument
from iqbench.cli.streams import print_result
from iqbench.errors import IqbenchError

__all__ = ["results"]

_NOT_RIGHT = 1


@click.group()
def results() -> None:
    """Look after a results folder.

    Example: iqbench results verify results/
    """


@results.command("verify", short_help="Read every part; name what is damaged.")
@results_argument
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def verify(results: Path, form: str) -> None:
    """Read every part of the tables and compare it with the checksum in its name.

    RESULTS is a folder that `iqbench evaluate` wrote; by default results/. Parts of older releases
    have no checksum: that they can be read is all that is known of them. Exits with 1 if a part is
    not what was written, or cannot be read. A part that is gone is not noticed: evaluate scores
    its images again.

    \b
    Examples:
      iqbench results verify
      iqbench results verify results/ --format json
    """
    import json

    from iqbench.cli.progress import waiting
    from iqbench.document.text import printable
    from iqbench.results.verify import verify_results

    with waiting("Reading parts"):
        found = list(verify_results(results))
    if form == "json":
        rows = [
            {"part": str(one.part), "state": one.state, "rows": one.rows, "problem": one.problem}
            for one in found
        ]
        print_result(json.dumps(rows, indent=2) + "\n", form)
    else:
        lines = [
            f"{one.state}: {IqbenchError(one.problem, hint=one.hint)}" for one in found if one.bad
        ]
        count = Counter(one.state for one in found)
        read = sum(one.rows or 0 for one in found)
        says = ", ".join(f"{number} {state}" for state, number in sorted(count.items()))
        lines.append(f"{results}: {len(found)} parts, {read:,} rows: {says}")
        print_result("".join(f"{printable(line)}\n" for line in lines))
    if any(one.bad for one in found):
        click.get_current_context().exit(_NOT_RIGHT)
