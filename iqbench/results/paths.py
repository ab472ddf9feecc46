"""Folder names for datasets and methods of any name."""

from __future__ import annotations

import re
from hashlib import sha256

__all__ = ["slug"]

_LONGEST = 64
_HASHED = re.compile(r"-[0-9a-f]{10}$")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")


def slug(name: str) -> str:
    """Turn a name into one that any file system can hold, and no other name shares.

    Letters, digits, dot, underscore and hyphen stay. A hash of the name is appended when that
    changes anything, when another name could be the same on a file system that ignores case, and
    where a file system or a reader of Parquet folders treats the name in a way of its own:
    ``.`` and ``..``, ``con``, and a leading dot or underscore, which hide a folder from pandas.

    Parameters
    ----------
    name
        Any text.

    Returns
    -------
    str
        A single path component, different from that of every other name even ignoring case.
    """
    kept = re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip("._-")[:_LONGEST]
    safe = kept == name.lower() and kept.rstrip(".") == kept != ""
    if safe and not _HASHED.search(kept) and not _RESERVED.fullmatch(kept):
        return kept
    digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{kept or 'name'}-{digest}"
