"""Options for the device, the precision and the memory of the computation."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from iqbench.cli.options import GivenPath

__all__ = ["compute_options", "memory_bytes"]

_Command = TypeVar("_Command", bound=Callable[..., Any])

_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)

_OPTIONS = (
    click.option(
        "--device",
        default="auto",
        show_default=True,
        metavar="auto|cpu|cuda[:N]",
        help="Device on which networks compute.",
    ),
    click.option(
        "--precision",
        type=click.Choice(["exact", "tf32", "bf16"]),
        default="exact",
        show_default=True,
        help="Precision of networks: float32, TensorFloat-32 (GPU), bfloat16.",
    ),
    click.option(
        "--memory",
        metavar="SIZE",
        help="Memory for decoded images and bands, e.g. 2G; default: depends on the device.",
    ),
    click.option(
        "--weights",
        type=GivenPath(file_okay=False, path_type=Path),
        metavar="DIR",
        help="Folder to search first for pretrained weights.",
    ),
)


def compute_options(command: _Command) -> _Command:
    """Add --device, --precision, --memory and --weights."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def memory_bytes(text: str | None) -> int | None:
    """Read a size such as ``512M`` or ``2GiB``; units are powers of 1024.

    Raises
    ------
    click.BadParameter
        If it is not a size, or none that anything fits into.
    """
    if text is None:
        return None
    match = _SIZE.fullmatch(text.strip())
    size = int(float(match[1]) * _UNITS[match[2].lower()]) if match else 0
    if size < 2**20:
        raise click.BadParameter(
            f"{text!r} is not a size of at least 1M; write 512M or 2G", param_hint="--memory"
        )
    return size
