"""``iqbench measure``: score one pair of images, or one output alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iqbench.cli.compute import compute_options, memory_bytes
from iqbench.cli.figure_options import (
    draw_figures,
    figure_options,
    figure_style,
    figures_asked,
    write_figures,
)
from iqbench.cli.options import (
    GivenPath,
    format_of,
    format_option,
    gray_output_option,
    output_option,
    peak_option,
)
from iqbench.cli.streams import deliver, say
from iqbench.errors import IqbenchError

if TYPE_CHECKING:
    from iqbench.engine.compute import Precision
    from iqbench.maps.model import DifferenceMap

__all__ = ["measure"]

FILE = GivenPath(path_type=Path)


@click.command(short_help="Score one output against its reference, or alone.")
@click.argument("reference", type=FILE, required=False, metavar="[REFERENCE]")
@click.argument("output", type=FILE, required=False, metavar="OUTPUT")
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="SPEC",
    help="Metric or column; required without a REFERENCE. May be repeated.",
)
@click.option(
    "--protocol",
    default="rgb",
    show_default=True,
    metavar="SPEC",
    help="How pixels are prepared before they are scored.",
)
@compute_options
@click.option(
    "--alpha",
    type=click.Choice(["error", "composite"]),
    default="error",
    show_default=True,
    help="Images with transparency: refuse them, or put them over white. Other images are not "
    "changed.",
)
@peak_option
@gray_output_option()
@format_option()
@output_option(name="file")
@click.option(
    "--maps",
    "folder",
    type=GivenPath(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Also write maps of the difference into this folder, as PNG.",
)
@click.option(
    "--map",
    "names",
    multiple=True,
    metavar="NAME",
    help="Map to draw: absolute-error, ciede2000, flip, ssim, lpips-alex|vgg|squeeze, a perceptual "
    "column, tv-aniso|iso. May be repeated.",
)
@figure_options(("maps",))
@click.option(
    "--raw", is_flag=True, help="Also write the values of the maps, as .npy files of float32."
)
def measure(
    reference: Path | None,
    output: Path | None,
    *,
    metrics: tuple[str, ...],
    protocol: str,
    device: str,
    precision: Precision,
    memory: str | None,
    weights: Path | None,
    alpha: str,
    peak: int | None,
    gray_output: str,
    format: str | None,
    file: Path | None,
    folder: Path | None,
    names: tuple[str, ...],
    raw: bool,
    **figure: Any,
) -> None:
    """Score one OUTPUT against its REFERENCE, or alone with metrics that need no reference.

    \b
    Examples:
      iqbench measure reference.png output.png
      iqbench measure reference.png output.png --metric psnr --metric ssim --protocol sr-y:scale=4
      iqbench measure reference.png output.png --format json
      iqbench measure reference.png output.png --maps maps/ --map ssim --map lpips-alex
      iqbench measure reference.png output.png --map ssim --figure maps.pdf --figure-size 17x5cm
      iqbench measure output.png --metric niqe
    """
    from iqbench import api
    from iqbench.cli.evaluate import SOME_FAILED
    from iqbench.cli.library_warnings import told_warnings
    from iqbench.cli.progress import waiting
    from iqbench.document.terminal import Window
    from iqbench.measurement import render_measurement

    figures, style = figures_asked(figure["figure"], ("maps",)), figure_style(figure)
    if folder is None and (raw or (names and not figures)):
        raise click.UsageError(
            "--map and --raw need --maps DIR, the folder to write to; --map may do with --figure."
        )
    if (folder is not None or figures) and output is None:
        raise click.UsageError(
            "--maps and --figure show where an output differs from its reference: give both."
        )
    seen: dict[str, Any] = {
        "protocol": protocol,
        "device": device,
        "memory": memory_bytes(memory),
        "weights": weights,
        "alpha": alpha,
        "peak": peak,
        "gray_output": gray_output,
    }
    if folder is not None or figures:
        from iqbench.maps.kinds import resolve_maps

        resolve_maps(names)  # a misspelt name is refused before anything is computed
    with waiting("Measuring"), told_warnings():
        frame = api.measure(reference, output, metrics=metrics, precision=precision, **seen)
    if (folder is not None or figures) and reference is not None and output is not None:
        from iqbench.maps import difference_maps, maps_figure

        maps = difference_maps(reference, output, maps=names, **seen)
        files = [path for _, path in figures]
        _keep_sources(files, (reference, output))
        shown = maps_figure(reference, output, maps, alpha=seen["alpha"], peak=peak)
        drawn = draw_figures([(shown, path) for path in files], style)
        if folder is not None:
            _write_maps(maps, (reference, output), folder, raw=raw)
        write_figures(drawn)
    window = Window() if file else Window.of_stdout()
    format = format or format_of(file)
    text = render_measurement(frame, format, window=window)
    deliver(text, format, file, color=window.color)
    if frame["value"].isna().all():
        click.get_current_context().exit(SOME_FAILED)


def _keep_sources(files: Sequence[Path], sources: Sequence[Path]) -> None:
    """Refuse to write a figure over the images that it is made from."""
    for file in files:
        if file.exists() and any(file.samefile(source) for source in sources):
            raise IqbenchError(
                f"a figure would replace {file}, which it is made from",
                hint="Write it to another file",
            )


def _write_maps(
    maps: Sequence[DifferenceMap], sources: Sequence[Path], folder: Path, *, raw: bool
) -> None:
    """Write the maps and say on stderr what each shows."""
    from iqbench.document.text import printable
    from iqbench.maps import legend, write_maps

    paths = write_maps(maps, folder, raw=raw, sources=sources)
    for map_, path in zip(maps, paths, strict=True):
        text = f"{path}: {legend(map_)}; mean {map_.mean:.4g}. {map_.summary}."
        say(printable(text))
