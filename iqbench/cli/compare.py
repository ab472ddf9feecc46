"""``iqbench compare``: show two methods or two runs side by side."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iqbench.cli.options import (
    ResultsFolder,
    filter_options,
    format_of,
    format_option,
    output_option,
    results_copies,
    wanted,
)
from iqbench.cli.streams import deliver

if TYPE_CHECKING:
    from iqbench.gate.compared_scores import ComparedDatasets


@click.command(short_help="Compare two methods, or two runs, image by image.")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@results_copies("results")
@click.option(
    "--results",
    metavar="RESULTS",
    type=ResultsFolder(),
    help="Results folder with the methods A and B; by default results/.",
)
@click.option(
    "--map",
    "renamed",
    multiple=True,
    metavar="OLD=NEW",
    help="For two runs: compare method OLD of A with method NEW of B. May be repeated.",
)
@filter_options
@click.option(
    "--images",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    metavar="N",
    help="List up to N images for each row: those that differ most.",
)
@format_option()
@output_option()
def compare(
    *,
    first: str,
    second: str,
    results: Path | None,
    renamed: tuple[str, ...],
    images: int,
    format: str | None,
    output: Path | None,
    **filters: Any,
) -> None:
    """Compare two methods, or two runs method by method, image by image.

    A and B are methods of one results folder, or, if both are results folders or baselines in text
    and --results is not given, two runs. Values of the same dataset, image, metric and signature
    are compared where the reference files are the same.

    \b
    Columns, by dataset and metric:
      A, B        means over the images that both have (n of them), of finite values;
                  (+k inf): k values are infinite
      difference  B minus A, where finite; 95 % interval: bootstrap over images, fixed seed
      p           Wilcoxon's signed-rank test, two-sided, corrected by Holm over all rows;
                  infinite on both sides is equal, on one side the largest difference
      effect      rank-biserial correlation: 1 if B is better on all images, -1 if on none
      wins, losses, ties  images on which B is better, worse, equal
                  (greater, smaller, equal for a metric without direction)

    A value of a whole set (fid, kid) has an interval, which comes from leaving out the same images
    on both sides, but no test and no wins.

    The exit code does not say which one is better; use `iqbench check` for that.

    \b
    Examples:
      iqbench compare bicubic edsr --dataset Set5-x4
      iqbench compare old-results/ new-results/ --metric psnr --metric lpips-alex
      iqbench compare baseline.jsonl results/
      iqbench compare edsr swinir --results other-results --format markdown
    """
    from iqbench.cli.progress import waiting
    from iqbench.document.terminal import Window
    from iqbench.errors import IqbenchError
    from iqbench.gate.compare import compare_parts
    from iqbench.gate.compare_document import render_comparison
    from iqbench.gate.compared_scores import compared_datasets, methods_by_dataset
    from iqbench.results.mirror import local_results

    format = format or format_of(output)
    chosen = wanted(filters)
    runs = local_results(first), local_results(second)
    sides: AbstractContextManager[ComparedDatasets]
    if results is None and all(map(_is_run, runs)):
        sides = compared_datasets(*runs, chosen, renamed)
    elif renamed or "method" in chosen:
        raise IqbenchError(
            "--map and --method are for two runs, and A and B are methods",
            hint="Name two results folders, or leave the options out",
        )
    else:
        sides = methods_by_dataset(results or Path("results"), first, second, chosen)
    with waiting("Comparing image by image"), sides as compared:
        found = compare_parts(compared.parts(), methods=compared.methods)
    window = Window() if output else Window.of_stdout()
    text = render_comparison(found, format, names=(first, second), images=images, window=window)
    deliver(text, format, output, color=window.color)


def _is_run(path: Path) -> bool:
    """Say whether a path is a results folder or a baseline in text."""
    return path.is_file() or any((path / kind).is_dir() for kind in ("scores", "sets"))
