"""``iqbench explain``: which conventions give the number of the paper."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iqbench.cli.options import gray_output_option, naming_options
from iqbench.cli.streams import print_result, say

if TYPE_CHECKING:
    from iqbench.protocols.view import GrayOutput

__all__ = ["explain"]

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("reference", type=PATH)
@click.argument("output", type=PATH)
@click.option(
    "--metric",
    required=True,
    metavar="NAME",
    help="psnr, ssim, ms-ssim, ms-ssim-db, psnr-b, tv, lpips, or a column of one of them.",
)
@click.option(
    "--value",
    required=True,
    metavar="X",
    help="The reported value as printed: its digits say how precise it is.",
)
@click.option("--scale", type=click.IntRange(min=1), metavar="S", help="Of super-resolution.")
@naming_options
@gray_output_option(
    "What gray outputs of colour references hold: the protocol's luma, or gray of three equal "
    "channels; with error both are tried."
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="How many conventions to show.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    show_default=True,
)
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def explain(
    reference: Path,
    output: Path,
    *,
    metric: str,
    value: str,
    scale: int | None,
    reference_name: str | None,
    output_name: str | None,
    match: tuple[str, ...],
    gray_output: GrayOutput,
    top: int,
    form: str,
    quiet: bool,
) -> None:
    """Find out under which conventions a reported value comes out.

    REFERENCE and OUTPUT are two files, or two folders whose images are paired by name; then the
    value is a mean over images. Tried is everything within two changes of a protocol or of what a
    library does by default (MS-SSIM and LPIPS: one); crops of super-resolution with PSNR and SSIM,
    with other metrics if --scale is given. Many conventions may agree in few digits:
    those nearest to a protocol or library come first. Whether anything is found, the exit code is
    0; in JSON, `reproduces` says so.

    \b
    Examples:
      iqbench explain hr.png sr.png --metric psnr --value 28.42 --scale 4
      iqbench explain reference.png output.png --metric ssim --value .8101
      iqbench explain hr/ sr/ --metric psnr --value 28.42 --output-name '{id}_x4' --format json
    """
    from iqbench.cli.progress import progress_bar
    from iqbench.document.terminal import Window
    from iqbench.explain import changes
    from iqbench.explain import explain as search
    from iqbench.report.explanation import render_explanation

    with progress_bar(quiet=quiet, lines=reference.is_dir(), unit="pairs") as reporter:
        frame = search(
            reference,
            output,
            metric=metric,
            value=value,
            scale=scale,
            reference_name=reference_name,
            output_name=output_name,
            match=match,
            gray_output=gray_output,
            reporter=reporter,
        )
    window = Window.of_stdout()
    text = render_explanation(
        frame, changes(frame), form, reported=f"{metric} {value}", top=top, window=window
    )
    print_result(text, form, color=window.color)
    if not frame["reproduces"].any():
        sys.stdout.flush()
        say(_hint(metric, scale))


def _hint(metric: str, scale: int | None) -> str:
    """Say what else may be the reason."""
    given = "" if scale is not None else " Give --scale if this is super-resolution."
    return (
        f"Nothing reproduces the {metric}. Is it another pair of images, an output that was "
        "resized, shifted or saved as JPEG, another checkpoint, or a mean over other images?"
        f"{given}"
    )
