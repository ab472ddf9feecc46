"""``iqbench site``: write a leaderboard as a folder of pages for any static host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from iqbench.cli.options import (
    GivenPath,
    columns_option,
    composite_option,
    filter_options,
    front_columns,
    front_option,
    results_argument,
    shown_columns,
    wanted,
)
from iqbench.cli.streams import say

__all__ = ["site"]


@click.command(short_help="Write a leaderboard as a folder of pages, with its history.")
@results_argument
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="DIR",
    type=GivenPath(file_okay=False, path_type=Path),
    help="Folder of the site. An earlier site in this folder is replaced, and its history "
    "continues.",
)
@filter_options
@click.option("--title", metavar="TEXT", help="Title of the site; by default the name of RESULTS.")
@click.option(
    "--methods-file",
    type=GivenPath(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Date, paper and code of methods; by default methods.yaml in RESULTS.",
)
@click.option("--note", metavar="TEXT", help="Text of this version in the history.")
@click.option("--sort", metavar="METRIC", help="Rank by this metric, as in iqbench leaderboard.")
@columns_option("Metrics to show at first, in this order; by default the headline metrics.")
@front_option
@composite_option
@click.option("-q", "--quiet", is_flag=True, help="Show no progress and no warnings.")
def site(
    results: Path,
    *,
    output: Path,
    title: str | None,
    methods_file: Path | None,
    note: str | None,
    sort: str | None,
    columns: str | None,
    front: str | None,
    composites: tuple[str, ...],
    quiet: bool,
    **options: Any,
) -> None:
    """Write a leaderboard as a folder of pages: an index, one page per dataset, and the history.

    RESULTS is a folder that `iqbench evaluate` wrote; by default results/. The pages need no
    server, no network and no other files: open DIR/index.html from disk, or copy DIR to any static
    host. Each page has a search, headings that sort and stay visible, columns that readers can
    choose, and its numbers as CSV, Parquet and JSON.

    The folder is written as a whole or not at all. Other files in it are kept. Its file site.json
    stores the addresses of the pages, so that they never change, and the history: each build adds
    an entry that says what has changed.

    methods.yaml may have a block for each method:

    \b
      edsr:
        date: 2017-07-10
        paper: https://arxiv.org/abs/1707.02921
        code: https://github.com/sanghyun-son/EDSR-PyTorch

    \b
    Examples:
      iqbench site -o public/
      iqbench site results/ -o public/ --title "Denoising" --note "Adds two methods"
      iqbench site results/ -o public/ --columns psnr,lpips-alex --methods-file methods.yaml
    """
    from iqbench.boards.composites import read_composites
    from iqbench.cli.library_warnings import told_warnings
    from iqbench.cli.pictures import told
    from iqbench.cli.progress import progress_bar
    from iqbench.document.text import plural, printable
    from iqbench.site.build import SiteOptions, build_site

    chosen = SiteOptions(
        title=(title or "").strip(),
        methods_file=methods_file,
        note=(note or "").strip(),
        sort=sort,
        columns=shown_columns(columns, "headline"),
        front=front_columns(front),
        composites=read_composites(composites),
    )
    with told_warnings(quiet=quiet), progress_bar(quiet=quiet, unit="pages") as bar:
        built = build_site(results, output, wanted(options), chosen, progress=told(bar))
    changes = "; ".join(built.version.changes)
    say(
        f"wrote {printable(str(output))}: {plural(built.files, 'file')}, "
        f"{built.size / 1e6:.1f} MB, version {built.version.number}: {printable(changes)}"
    )
