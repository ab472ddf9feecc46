"""The manifest of a run: versions, device, command and paths, for the footers of its tables."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timezone
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from iqbench import __version__
from iqbench.engine.compute import Compute, device_name
from iqbench.results.schema import FilePlace, Manifest

__all__ = ["manifest_of"]

PACKAGES = (
    *("torchvision", "lpips", "numpy", "imagecodecs", "simplejpeg"),
    *("opencv-python-headless", "pandas", "pyarrow"),
)


def manifest_of(
    compute: Compute, places: Sequence[FilePlace] = (), device: str | None = None
) -> Manifest:
    """Say what a run on this machine, and so computed, is made with.

    Parameters
    ----------
    compute
        Says the precision and, unless it is given, the device.
    places
        Where images lie.
    device
        Where scores are computed.
    """
    return Manifest(
        iqbench=__version__,
        python=platform.python_version(),
        torch=torch.__version__,
        platform=platform.platform(),
        device=device or device_name(compute),
        precision=compute.precision,
        command=_command(),
        time=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        versions=dict(_versions(PACKAGES)),
        places=list(places),
    )


@cache
def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of what values may depend on; a package may go by another name.

    They are read once in a process.
    """
    found: dict[str, str] = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _command() -> str:
    """Return the command line, so that a shell reads it back; bytes that are no text are spelt.

    It is empty where a program embeds Python and gives no arguments.
    """
    program, *arguments = getattr(sys, "argv", None) or [""]
    words = shlex.join([Path(program).name, *arguments]) if program else ""
    return words.encode("utf-8", "backslashreplace").decode()
