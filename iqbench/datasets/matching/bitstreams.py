"""The compressed files behind decoded pictures: their sizes give the bits per pixel."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from hashlib import sha256
from io import TextIOWrapper

from iqbench.datasets.files import split_suffix, walk
from iqbench.datasets.storage.paths import Place, StoredPath, open_file
from iqbench.errors import IqbenchError

__all__ = ["FOLDER", "TABLE", "Bits", "Bitstream", "find_bitstreams"]

FOLDER = "bitstreams"
TABLE = "bitstreams.csv"


_CHUNK = 1 << 20


@dataclass(frozen=True)
class Bits:
    """What is known of a bitstream.

    Attributes
    ----------
    bytes
        Its size.
    digest
        SHA-256 of the file, hexadecimal; of what the table says where there is no file.
    """

    bytes: int
    digest: str


@dataclass(frozen=True)
class Bitstream:
    """Where a bitstream lies, or what a table says of its size.

    Attributes
    ----------
    path
        The file; None where a table says the size.
    stated
        The size in bytes that a table says.
    """

    path: Place | None
    stated: int = 0

    @property
    def identity(self) -> str | None:
        """A text that no other bytes have; None where only the bytes tell whether they changed."""
        if not isinstance(self.path, StoredPath) or not self.path.is_file():
            return None
        return self.path.source().identity

    def read(self) -> Bits:
        """Count and digest the file.

        Raises
        ------
        IqbenchError
            If it cannot be read.
        """
        if self.path is None:
            return Bits(self.stated, sha256(f"{self.stated} bytes".encode()).hexdigest())
        digest, size = sha256(), 0
        try:
            with open_file(self.path) as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
        except OSError as error:
            raise IqbenchError(f"bitstream {self.path} cannot be read: {error.strerror}") from error
        return Bits(size, digest.hexdigest())


def find_bitstreams(outputs: Place) -> dict[str, Bitstream]:
    """Find each image's bitstream.

    Parameters
    ----------
    outputs
        The folder of a method's outputs for a dataset. It holds ``bitstreams/<id>.<any>``, one
        file an image, or ``bitstreams.csv`` with the columns image and bytes.

    Returns
    -------
    dict
        By image id; empty where there is neither.

    Raises
    ------
    IqbenchError
        If an image has two bitstreams, or the table is not as it should be.
    """
    table = outputs / TABLE
    there = table.is_file() if isinstance(table, StoredPath) else os.path.lexists(table)
    return _from_table(table) if there else _from_folder(outputs / FOLDER)


def _from_folder(folder: Place) -> dict[str, Bitstream]:
    files: dict[str, Place] = {}
    for name in walk(folder) if folder.is_dir() else ():
        image, file = split_suffix(name)[0], folder / name
        if image in files:
            raise IqbenchError(f"image {image!r} has two bitstreams: {files[image]} and {file}")
        files[image] = file
    return {image: Bitstream(file) for image, file in files.items()}


def _from_table(path: Place) -> dict[str, Bitstream]:
    sizes: dict[str, Bitstream] = {}
    with open_file(path) as file:
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
            sizes[image] = Bitstream(None, int(size))
    return sizes
