"""``iqbench report``: write one HTML page from the tables, and from the images that are found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from iqbench.cli.options import (
    columns_option,
    composite_option,
    filter_options,
    front_columns,
    front_option,
    output_option,
    results_argument,
    shown_columns,
    wanted,
)
from iqbench.cli.pictures import file_bytes, picture_folders, picture_options, told
from iqbench.cli.streams import say

__all__ = ["report"]

_NO_MAPS = "none"


@click.command(short_help="Write a report: one file of HTML, with pictures and maps.")
@results_argument
@output_option("Write the page to this file.", required=True)
@filter_options
@click.option("--title", metavar="TEXT", help="Title of the page; by default the name of RESULTS.")
@click.option("--sort", metavar="METRIC", help="Rank by this metric, as in iqbench leaderboard.")
@columns_option("Metrics to show at first, in this order; by default the headline metrics.")
@front_option
@composite_option
@click.option(
    "--images",
    type=click.IntRange(min=0),
    metavar="N",
    help="Maximum number of images of each dataset; by default as many as fit into the file.",
)
@click.option(
    "--maps",
    metavar="NAME,...|none",
    help="Maps of the differences to show; by default those of `iqbench measure --maps`.",
)
@picture_options
@click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda[:N]",
    help="Device on which maps are computed.",
)
@click.option("-q", "--quiet", is_flag=True, help="Show no progress and no warnings.")
def report(
    results: Path,
    *,
    output: Path,
    title: str | None,
    sort: str | None,
    columns: str | None,
    front: str | None,
    composites: tuple[str, ...],
    images: int | None,
    maps: str | None,
    max_size: str,
    device: str,
    quiet: bool,
    **options: Any,
) -> None:
    """Write a report: one file of HTML that opens from disk, without a network or a server.

    RESULTS is a folder that `iqbench evaluate` wrote; by default results/. The page has
    leaderboards that can be sorted and filtered; a plot of perception and fidelity; distributions,
    correlations and scatter plots of metrics; the worst, the best and the most disputed images,
    side by side, with maps of the differences; and a description of how everything was computed.

    A picture is shown if its file is unchanged and is found at the path where it was scored, or in
    a folder that the options name. With --no-recorded-pictures, only the folders that the options
    name are searched.

    \b
    Examples:
      iqbench report -o report.html
      iqbench report results/ -o report.html --dataset Set5 --dataset Set14
      iqbench report -o report.html --title "Denoising, June"
      iqbench report -o report.html --outputs-in outputs/ --reference Set5=data/Set5/HR
      iqbench report -o small.html --no-pictures --metric psnr --metric lpips-alex
      iqbench report -o report.html --images 8 --maps absolute-error,ssim --max-size 50M
    """
    from iqbench.boards.composites import read_composites
    from iqbench.cli.library_warnings import told_warnings
    from iqbench.cli.progress import progress_bar
    from iqbench.document.files import write_text
    from iqbench.page.report import Appearance, report_page
    from iqbench.results.opened import open_results

    filters = wanted(options)
    shown = images if not options["no_pictures"] else 0
    opened = open_results(results)
    places, recorded = picture_folders([opened], options)
    more: dict[str, Any] = {}
    if maps is not None:
        names = [name.strip() for name in maps.split(",") if name.strip()]
        more["maps"] = () if names == [_NO_MAPS] else tuple(names)
    appearance = Appearance(
        title=(title or "").strip(),
        sort=sort,
        columns=shown_columns(columns, "headline"),
        front=front_columns(front),
        images=shown,
        size=file_bytes(max_size),
        device=device,
        composites=read_composites(composites),
        **more,
    )
    with told_warnings(quiet=quiet), progress_bar(quiet=quiet, unit="images") as bar:
        made = report_page(
            opened,
            filters,
            places,
            recorded=recorded,
            appearance=appearance,
            progress=told(bar),
        )
    write_text(output, made.html)
    for text in made.left_out:
        say(f"left out: {text}")
    size = len(made.html.encode()) / 1e6
    say(f"wrote {output}: {size:.1f} MB, {made.pictures} images")
