"""Values of whole sets, and whether they are of the images that the tables have now."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import pyarrow as pa

from iqbench.results.current import Stored, current_images
from iqbench.results.parts import last_rows, read_parts
from iqbench.results.schema import ANY_MEMBERS, REPLACED, SETS

__all__ = ["STALE", "current_sets", "members_digest"]

STALE = "stale: images changed since; run iqbench evaluate"
"""Error of a value that is of other images than those that the tables have now."""


def members_digest(images: pa.Table, *, outputs_alone: bool = False) -> str:
    """Name a set: by the ids of its images, and the digests of both sides' files.

    Parameters
    ----------
    images
        `iqbench.results.current.current_images` of one dataset and method.
    outputs_alone
        Leave the references out: outputs are compared with a reference set, which the signature
        names.

    Returns
    -------
    str
        16 hex digits; two files that are not there make no two sets equal, as their ids count.
    """
    digest = sha256(b"outputs\n" if outputs_alone else b"")
    for row in sorted(_members(images, outputs_alone)):
        digest.update("\0".join(row).encode() + b"\n")
    return digest.hexdigest()[:16]


def _members(images: pa.Table, outputs_alone: bool) -> Iterator[tuple[str, ...]]:
    sides = ("output_digest",) if outputs_alone else ("reference_digest", "output_digest")
    for row in zip(*(images.column(name).to_pylist() for name in ("image", *sides)), strict=True):
        yield tuple(text or "" for text in row)


def current_sets(group: Stored) -> pa.Table:
    """Read the newest value of every metric and signature of one dataset and method.

    Returns
    -------
    pyarrow.Table
        Of `SETS`. A value of other images than the current ones is missing, with the error `STALE`.
    """
    table = last_rows(read_parts(group.sets, "sets")[0], "sets")
    if table.num_rows == 0:
        return table
    images = current_images(group.images)
    now = {members_digest(images, outputs_alone=alone) for alone in (False, True)} | {ANY_MEMBERS}
    rows = table.to_pylist()
    rows = [row for row in rows if row["members"] != REPLACED]
    for row in rows:
        if row["members"] not in now:
            row |= {"value": None, "standard_error": None, "error": STALE}
    columns = [
        pa.array([row[field.name] for row in rows], field.type.value_type).dictionary_encode()
        if pa.types.is_dictionary(field.type)
        else pa.array([row[field.name] for row in rows], field.type)
        for field in SETS
    ]
    return pa.table(columns, schema=SETS)
