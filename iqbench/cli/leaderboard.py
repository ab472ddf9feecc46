"""``iqbench leaderboard``: compare methods, dataset by dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from iqbench.cli.figure_options import (
    draw_figures,
    figure_options,
    figure_style,
    figures_asked,
    write_figures,
)
from iqbench.cli.options import (
    GivenPath,
    columns_option,
    composite_option,
    filter_options,
    format_of,
    format_option,
    front_columns,
    front_option,
    output_option,
    results_argument,
    shown_columns,
    wanted,
)
from iqbench.cli.streams import deliver
from iqbench.cli.table_options import table_layout, table_options

_FIGURES = ("front", "boxes", "scatter", "ranks")
"""The figures of `iqbench.boards.figures`, which is slow to import."""


@click.command()
@results_argument
@filter_options
@click.option(
    "--sort",
    metavar="METRIC",
    help="Rank by this metric; by default by the first column that has a direction.",
)
@columns_option(
    "Metrics to show, in this order; by default the headline metrics, and in csv and json all "
    "metrics."
)
@click.option(
    "--intervals/--no-intervals",
    default=None,
    help="Whether to show intervals; by default csv, json and html have them, and a terminal if "
    "they fit.",
)
@front_option
@composite_option
@click.option(
    "--by",
    type=click.Choice(["dataset", "task", "overall"]),
    help="Compare on each dataset, or by averages over the datasets of each task, or over all "
    "datasets. By default, tables for people have all comparisons that add something; csv, "
    "json and latex have those on each dataset.",
)
@click.option("--pairs", is_flag=True, help="Compare each pair of methods, image by image.")
@click.option(
    "--by-image",
    is_flag=True,
    help="Show the worst and best images, and the images on which two methods differ most.",
)
@click.option(
    "--section",
    metavar="NAME",
    help="Show a section of the report, e.g. second-ahead: images on which the second method is "
    "ahead of the first.",
)
@click.option(
    "--top",
    type=click.IntRange(1),
    metavar="N",
    help="Number of images of each kind that --by-image shows; by default 3.",
)
@click.option(
    "--diagram",
    type=GivenPath(dir_okay=False, path_type=Path),
    metavar="FILE.svg|pdf|png",
    help="Draw the critical-difference diagram of the average ranks; needs at least five datasets.",
)
@table_options
@figure_options(_FIGURES)
@format_option()
@output_option()
def leaderboard(
    results: Path,
    *,
    sort: str | None,
    columns: str | None,
    intervals: bool | None,
    front: str | None,
    composites: tuple[str, ...],
    by: str | None,
    pairs: bool,
    by_image: bool,
    section: str | None,
    top: int | None,
    diagram: Path | None,
    format: str | None,
    output: Path | None,
    **options: Any,
) -> None:
    """Compare methods by their mean scores, dataset by dataset.

    RESULTS is a folder that `iqbench evaluate` wrote; by default results/. A method that lacks a
    value in any shown column is incomplete: it is listed, but not ranked. Arrows show which values
    are better: ↑ higher, ↓ lower, →1 closer to 1. A column without an arrow is not used for
    ranking.

    \b
    #      rank by the mean over the images that are finite for all methods, for
           a target by the mean distance to it; equal means share a rank
    (+1 inf)  how many infinite values the mean leaves out
    ranks  the ranks in 95 % of 2,000 bootstrap resamples of the images
    ±      half of the mean's 95 % percentile bootstrap interval over images
    tie    methods of one letter are not significantly worse than the best of
           them: Wilcoxon's signed-rank test over images, Holm's correction, 5 %
    front  no other complete method is at least as good in fidelity and in
           perception, and better in one of them

    Scores computed with an older file of a reference are left out, with a warning.

    A metric that was scored in several ways has one column for each way. psnr selects all of them,
    psnr[protocol=sr-y:scale=4] only the one with this protocol in its signature. You can also use
    the heading of a column as its name.

    For several datasets, a further table has the average rank among the methods that are complete
    on all of them, and the mean over the datasets of each metric that all datasets have with the
    same signature.

    \b
    --pairs gives for each two ranked methods of a dataset
      wins, losses, draws  images where the first is better, worse, equal
      gain                 by how much its mean is better
      p Holm               Wilcoxon's p, corrected for all pairs
      effect               rank-biserial correlation: 1 where all are better

    A column with one value per method, such as fid, has no values of single images and is shown as
    -.

    --layout paper makes a table as in papers: one row for each method, one group of columns for
    each dataset and scale. The best value of each column is bold and the second best is underlined;
    scored, imported and published values are compared alike. `-o table.tex` writes LaTeX, `-o
    table.doc` a file for Word.

    docs/leaderboard.md defines every number and every column of csv and json.

    \b
    Examples:
      iqbench leaderboard
      iqbench leaderboard --dataset Set5 --dataset Set14 --sort lpips-alex
      iqbench leaderboard --columns psnr,ssim,lpips-alex --intervals -o table.tex
      iqbench leaderboard --sort 'psnr[protocol=sr-y:scale=4]'
      iqbench leaderboard --composite "mix = 'psnr' / 50 + 'ssim'" --sort mix
      iqbench leaderboard --by overall --diagram ranks.svg
      iqbench leaderboard --figure front.pdf --figure-size 8.5x6cm --no-figure-title
      iqbench leaderboard --sort ssim --figure boxes=fig2.svg --figure scatter=fig3.png
      iqbench leaderboard --pairs --dataset Set5
      iqbench leaderboard --by-image --method edsr --method swinir --top 10
      iqbench leaderboard --layout paper --order bicubic,edsr --name psnr=PSNR -o table.tex
      iqbench leaderboard --table table.yaml -o table.doc
      iqbench leaderboard other-results -o board.csv
    """
    from iqbench.boards.board import read_board
    from iqbench.boards.composites import read_composites
    from iqbench.boards.figures import board_figure
    from iqbench.boards.views import render_view
    from iqbench.cli.library_warnings import told_warnings
    from iqbench.cli.progress import waiting
    from iqbench.document.terminal import Window

    layout = table_layout(options)
    asked = [pairs, by_image, by is not None, section is not None, layout is not None]
    if sum(asked) > 1:
        raise click.UsageError(
            "--by, --pairs, --by-image, --section and --layout are tables: ask for one"
        )
    if top is not None and not by_image:
        raise click.UsageError("--top belongs to --by-image")
    figures, style = figures_asked(options["figure"], _FIGURES), figure_style(options)
    if diagram is not None:
        figures += figures_asked([f"ranks={diagram}"], _FIGURES)
    format = format or format_of(output)
    window = Window() if output else Window.of_stdout()
    view = "pairs" if pairs else "images" if by_image else section or by
    if layout is not None:
        view = "paper"
    filters, otherwise = (
        wanted(options),
        "all" if format in ("csv", "spreadsheet", "json") else "headline",
    )
    shown = shown_columns(columns, otherwise)
    if layout is not None:
        filters = layout.filters(filters)
        shown = shown_columns(columns, "headline") if columns else layout.columns or "headline"
    with told_warnings(), waiting("Comparing methods"):
        found = read_board(
            results,
            filters,
            sort=sort,
            shown=shown,
            front=front_columns(front),
            intervals=intervals is not False if layout is None or figures else bool(intervals),
            composites=read_composites(composites),
        )
        described = [(board_figure(found, kind), path) for kind, path in figures]
        drawn = draw_figures(described, style)
        text = render_view(
            *(found, view, format),
            intervals=intervals,
            top=top or 3,
            layout=layout,
            window=window,
        )
    deliver(text, format, output, color=window.color)
    write_figures(drawn)
