"""``iqbench doctor``: check this installation."""

from __future__ import annotations

from pathlib import Path

import click

from iqbench.cli.options import GivenPath, format_of, format_option, output_option
from iqbench.cli.streams import deliver

__all__ = ["doctor"]


@click.command()
@click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda[:N]",
    help="Device on which networks compute.",
)
@click.option(
    "--weights",
    type=GivenPath(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder that is searched first for pretrained weights.",
)
@click.option("--strict", is_flag=True, help="Also exit with 1 if something could not be checked.")
@click.option("-v", "--verbose", is_flag=True, help="Show every single check.")
@format_option()
@output_option()
def doctor(
    device: str,
    weights: Path | None,
    *,
    strict: bool,
    verbose: bool,
    format: str | None,
    output: Path | None,
) -> int:
    """Check that this installation gives the right numbers.

    Image files that are part of iqbench are decoded and scored, and compared with the results of
    other implementations. Nothing is downloaded. Exit code: 0 if nothing is wrong; 1 if a check
    failed, or, with --strict, if something could not be checked, e.g. because weights are missing.

    \b
    Examples:
      iqbench doctor
      iqbench doctor --device cuda --strict
      iqbench doctor --format markdown
    """
    from rich.console import Console

    from iqbench.doctor import doctor as examine
    from iqbench.doctor import verdict
    from iqbench.doctor.document import render_checkup
    from iqbench.document.terminal import Window

    # Nothing of it shows where stderr is not a terminal.
    with Console(stderr=True).status("looking at versions") as status:
        frame = examine(
            device, weights=weights, reporter=lambda part: status.update(f"looking at {part}")
        )
    window = Window() if output else Window.of_stdout()
    format = format or format_of(output)
    text = render_checkup(frame, format, verbose=verbose, window=window)
    deliver(text, format, output, color=window.color)
    found = verdict(frame)
    return int(found == "off" or (strict and found != "ok"))
