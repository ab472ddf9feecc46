"""``iqbench explain``: find the conventions that give a reported value."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iqbench.cli.options import (
    PLACE,
    GivenPath,
    format_of,
    format_option,
    gray_output_option,
    naming_options,
    output_option,
)
from iqbench.cli.streams import deliver, say

if TYPE_CHECKING:
    from iqbench.protocols.view import GrayOutput

__all__ = ["explain"]

PATH = GivenPath(path_type=Path)


@click.command()
@click.argument("reference", type=PLACE)
@click.argument("output", type=PLACE)
@click.option(
    "--metric",
    "metrics",
    required=True,
    multiple=True,
    metavar="NAME",
    help="psnr, ssim, ms-ssim, ms-ssim-db, psnr-b, tv, lpips, dists, niqe, fid, kid, or a column "
    "of one of them. Repeat it for several metrics of one table: they share one cause.",
)
@click.option(
    "--value",
    "means",
    multiple=True,
    metavar="X",
    help="The reported value as printed; the number of digits says how precise it is. 98.12% and "
    "28.42 dB are accepted too. Give one for each --metric, in the same order.",
)
@click.option(
    "--values",
    type=PATH,
    metavar="FILE",
    help="Values of single images, instead of --value or together with it: a CSV (image,value or "
    "image,psnr,ssim), JSON, YAML, a table in Markdown or LaTeX, or the log of an evaluation "
    "script. One convention must give all of them, which excludes chance.",
)
@click.option(
    "--pattern",
    metavar="REGEX",
    help="How to read a line of FILE: a regular expression with the groups name and value, or "
    "name and one for each metric, e.g. '(?P<name>\\S+): (?P<psnr>[0-9.]+) dB'.",
)
@click.option("--scale", type=click.IntRange(min=1), metavar="S", help="Scale of super-resolution.")
@naming_options
@gray_output_option(
    "How to read gray outputs of colour references: as the protocol's luma, or as three equal "
    "channels; with error, both are tried."
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="How many conventions to show.",
)
@click.option(
    "--changes",
    "with_changes",
    is_flag=True,
    help="Show how each single change moves the value, the largest effect first.",
)
@format_option()
@output_option(name="file")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def explain(
    reference: str,
    output: str,
    *,
    metrics: tuple[str, ...],
    means: tuple[str, ...],
    values: Path | None,
    pattern: str | None,
    scale: int | None,
    reference_name: str | None,
    output_name: str | None,
    match: tuple[str, ...],
    gray_output: GrayOutput,
    top: int,
    with_changes: bool,
    format: str | None,
    file: Path | None,
    quiet: bool,
) -> None:
    """Find the conventions that give the reported values.

    REFERENCE and OUTPUT are two files, or two folders with images that are paired by name; for
    folders, a value is a mean over the images. All conventions within two changes (MS-SSIM and
    LPIPS: one) of a protocol or of a library's default are tried. Crops of super-resolution are
    tried with PSNR and SSIM, and with other metrics if --scale is given. LPIPS, DISTS, NIQE, FID
    and KID take longer: the most plausible conventions are tried first, and the search ends when
    one fits. With --changes or --format json it goes on.

    The answer comes first: the convention that was used, or that no plausible one fits. Among many
    conventions, some fit a few digits by chance, so each match has the number of conventions that
    are expected to fit by chance. Values of single images exclude chance. The exit code is 0 in all
    these cases; in JSON, `verdict` has the result: explained, ambiguous, coincidence or nothing.

    \b
    Examples:
      iqbench explain hr.png sr.png --metric psnr --value 28.42 --scale 4
      iqbench explain reference.png output.png --metric ssim --value .8101
      iqbench explain hr/ sr/ --metric psnr --value 28.42 --output-name '{id}_x4' --format json
      iqbench explain hr/ sr/ --metric psnr --value 28.42 --metric ssim --value .8101
      iqbench explain hr/ sr/ --metric ssim --values ssim.csv
    """
    from iqbench.cli.progress import progress_bar
    from iqbench.document.terminal import Window
    from iqbench.explain import answer, changes
    from iqbench.explain import explain as search
    from iqbench.explain.document import render_explanation

    format = format or format_of(file)
    every = with_changes or format == "json"
    with progress_bar(quiet=quiet, lines=not Path(reference).is_file(), unit="steps") as reporter:
        frame = search(
            reference,
            output,
            metric=metrics,
            value=means or None,
            values=values,
            pattern=pattern,
            scale=scale,
            reference_name=reference_name,
            output_name=output_name,
            match=match,
            gray_output=gray_output,
            try_all=every,
            reporter=reporter,
        )
    window = Window() if file else Window.of_stdout()
    found = answer(frame)
    text = render_explanation(
        frame,
        changes(frame if every else frame.head(0)),
        asdict(found),
        format,
        top=top,
        window=window,
    )
    deliver(text, format, file, color=window.color)
    if found.advice:
        sys.stdout.flush()
        given = "" if scale is not None else " Give --scale if this is super-resolution."
        say(found.advice + given)
