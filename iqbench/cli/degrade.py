"""``iqbench degrade``: make standard inputs for methods, or enlarge such inputs as a baseline."""

from __future__ import annotations

from pathlib import Path

import click

from iqbench.cli.options import GivenPath
from iqbench.cli.streams import say

__all__ = ["degrade"]

PARTIAL = 3
PATH = GivenPath(path_type=Path)
FOLDER = GivenPath(file_okay=False, path_type=Path)


@click.command(short_help="Make standard inputs from references, or upscale such inputs.")
@click.argument("spec")
@click.argument("references", type=PATH)
@click.option(
    "-o", "--output", required=True, type=FOLDER, metavar="DIR", help="Folder for the PNG files."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the noise."
)
@click.option(
    "--modcrop",
    type=FOLDER,
    metavar="DIR",
    help="Also write the references that were degraded into this folder; with bicubic, they are "
    "cut to a multiple of the scale.",
)
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def degrade(
    spec: str, references: Path, *, output: Path, seed: int, modcrop: Path | None, quiet: bool
) -> None:
    """Degrade or upscale REFERENCES, a file or a folder, by SPEC.

    \b
    SPEC is one of
      bicubic:scale=4         MATLAB's imresize on 8 bits, after a cut to a multiple of the scale;
                              edges replicated, or with edge=symmetric mirrored as newer MATLAB's
      upscale:scale=4         enlarge as MATLAB's imresize, the baseline of super-resolution;
                              filter=bicubic, nearest, bilinear, lanczos2 or lanczos3
      noise:sigma=25          white Gaussian noise, of 0 to 255, rounded and clipped
      jpeg:quality=30         JPEG, 4:2:0; the decoded picture is written, as PNG
      blur:sigma=1.6,noise=2  Gaussian blur of so many pixels, then noise (0 if left out)
      kernel:file=K,noise=2   blur by a kernel: a gray image, a .npy array, or rows of numbers

    \b
    Every file is a PNG of the reference's path and name. The noise of an image follows from --seed
    and its path alone: adding images changes no other's. Exit code 3: some images could not be
    done, and are named; the others are.

    \b
    Examples:
      iqbench degrade bicubic:scale=4 hr/ -o lr/ --modcrop hr_x4/
      iqbench degrade upscale:scale=4 lr/ -o outputs/bicubic/
      iqbench degrade noise:sigma=25 clean/ -o noisy/ --seed 1
    """
    from iqbench.cli.progress import progress_bar
    from iqbench.degradation import degrade_files, resolve_degradation
    from iqbench.document.text import plural, printable

    degradation = resolve_degradation(spec)
    with progress_bar(quiet=quiet, unit="images") as reporter:
        done = degrade_files(
            degradation, references, output, seed=seed, modcrop=modcrop, reporter=reporter
        )
    say(f"{plural(len(done.written), 'image')} made by {spec}, written to {output}")
    if done.cropped:
        kept = "" if modcrop is None else f"; what was left is in {modcrop}"
        say(
            f"{plural(len(done.cropped), 'reference')} cut to a multiple of {degradation.multiple} "
            f"first{kept}",
        )
    for image, why in done.failed.items():
        say(printable(f"failed: {image}: {why}"))
    if done.failed:
        raise click.exceptions.Exit(PARTIAL)
