"""Sizes of the compressed files behind decoded pictures: what bits per pixel are counted from."""

from __future__ import annotations

import csv
import os
from io import TextIOWrapper
from pathlib import Path

from iqbench.datasets.files import split_suffix
from iqbench.errors import IqbenchError
from iqbench.user_files import open_regular

__all__ = ["FOLDER", "TABLE", "bitstream_sizes"]

FOLDER = "bitstreams"
TABLE = "bitstreams.csv"


def bitstream_sizes(outputs: Path) -> dict[str, int]:
    """Find the size of each image's bitstream.

    Parameters
    ----------
    outputs
        The folder of a method's outputs for a dataset. It holds ``bitstreams/<id>.<any>``, one
        file an image, or ``bitstreams.csv`` with the columns image and bytes.

    Returns
    -------
    dict
        Image id to bytes; empty where there is neither.

    Raises
    ------
    IqbenchError
        If an image has two bitstreams, or the table is not as it should be.
    """
    table = outputs / TABLE
    return _from_table(table) if os.path.lexists(table) else _from_folder(outputs / FOLDER)


def _from_folder(folder: Path) -> dict[str, int]:
    files: dict[str, Path] = {}
    for path, _, names in os.walk(folder):
        for name in names:
            if name.startswith("."):
                continue
            file = Path(path) / name
            image = split_suffix(file.relative_to(folder).as_posix())[0]
            if image in files:
                raise IqbenchError(f"image {image!r} has two bitstreams: {files[image]} and {file}")
            files[image] = file
    return {image: file.stat().st_size for image, file in files.items()}


def _from_table(path: Path) -> dict[str, int]:
    sizes: dict[str, int] = {}
    with open_regular(path) as file:
        reader = csv.DictReader(TextIOWrapper(file, "utf-8-sig", newline=""))
        if not {"image", "bytes"} <= set(reader.fieldnames or ()):
            raise IqbenchError(f"{path} must have the columns image and bytes")
        for row in reader:
            image, size = row["image"], row["bytes"] or ""
            if not (size.isascii() and size.isdigit() and int(size) > 0):
                raise IqbenchError(
                    f"{path}, line {reader.line_num}: bytes is {size!r}, not a positive integer"
                )
            if image in sizes:
                raise IqbenchError(f"{path}, line {reader.line_num}: {image!r} is named twice")
            sizes[image] = int(size)
    return sizes
