"""Lists of digests in iqbench, which identify the published files of a dataset."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from iqbench.datasets.files import is_below_root
from iqbench.errors import IqbenchError, unknown_name

__all__ = ["FOLDER", "file_digest", "read_checksums"]

FOLDER = Path(__file__).parent / "checksums"
"""One file a list, as ``sha256sum`` writes it; paths are below the data root."""

_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def file_digest(path: Path) -> str:
    """Give the SHA-256 of a file's bytes, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()


def read_checksums(name: str | None) -> dict[str, str]:
    """Read a list of digests.

    Parameters
    ----------
    name
        As a dataset's block names it; None where it names none.

    Returns
    -------
    dict
        Path below the data root to SHA-256, hexadecimal; empty where there is no list.

    Raises
    ------
    IqbenchError
        If there is no list of that name, or a line of it is not as it should be.
    """
    if name is None:
        return {}
    path = FOLDER / f"{name}.txt"
    if not path.is_file():
        raise unknown_name("list of checksums", name, (file.stem for file in FOLDER.glob("*.txt")))
    digests: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None or not is_below_root(found[2]) or found[2] in digests:
            raise IqbenchError(f"{path}, line {number}: not a digest and a path of its own: {line}")
        digests[found[2]] = found[1]
    return digests
