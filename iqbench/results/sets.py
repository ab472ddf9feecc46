"""Values of whole sets, and checks whether they belong to the current images."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from iqbench.errors import IqbenchError
from iqbench.results.current import Stored, current_images
from iqbench.results.extractor_files import FeatureKey
from iqbench.results.parts import last_rows
from iqbench.results.schema import ANY_MEMBERS, OPEN_MEMBERS, REPLACED, SETS
from iqbench.user_files import replace_file

__all__ = [
    "STALE",
    "copy_reference_sets",
    "current_sets",
    "digest_of_set",
    "has_stale_values",
    "members_digest",
    "read_reference_set",
    "reference_set_files",
    "set_table",
    "write_reference_set",
]

_REFERENCE_SETS = "reference-sets"
"""Folder of the notes which images reference sets have."""

_DIGITS = 12

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


def digest_of_set(digests: Iterable[str]) -> str:
    """Name a reference set by the digests of its images' contents."""
    digest = sha256()
    for text in sorted(digests):
        digest.update(text.encode() + b"\n")
    return digest.hexdigest()[:_DIGITS]


def write_reference_set(root: Path, digest: str, keys: Sequence[FeatureKey]) -> None:
    """Note which images a reference set has, so that its values can be closed without its files.

    Raises
    ------
    IqbenchError
        Where the folder cannot be written.
    """
    file = root / _REFERENCE_SETS / f"{digest}.json"
    content = json.dumps([list(key) for key in keys]).encode()
    try:
        if not file.exists() or file.read_bytes() != content:
            file.parent.mkdir(parents=True, exist_ok=True)
            replace_file(file, content)
    except OSError as error:
        raise IqbenchError(
            f"cannot write {file}: {error.strerror or error}",
            hint="Fix that or choose another folder with --results",
        ) from error


def read_reference_set(root: Path, digest: str) -> list[FeatureKey] | None:
    """Read which images a reference set has; None where that is not known.

    Raises
    ------
    IqbenchError
        If the note of it is damaged.
    """
    file = root / _REFERENCE_SETS / f"{digest}.json"
    try:
        return _read(file)
    except FileNotFoundError:
        return None


def _read(file: Path) -> list[FeatureKey]:
    """Read the note of a reference set, whose name is the digest of its images."""
    hint = "Delete it and run iqbench evaluate again with --reference-set: it is written again"
    try:
        rows = json.loads(file.read_bytes())
        keys = [FeatureKey(str(name), int(peak)) for name, peak in rows]
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError) as error:
        raise IqbenchError(f"cannot read {file}: {error}", hint=hint) from error
    if digest_of_set(key.digest for key in keys) != file.stem:
        raise IqbenchError(f"{file} does not name the images of that reference set", hint=hint)
    return keys


def reference_set_files(root: Path) -> Iterator[tuple[Path, int | None, IqbenchError | None]]:
    """Read every note of a reference set: the file, its number of images, or what is wrong."""
    for file in sorted((root / _REFERENCE_SETS).glob("*.json")):
        try:
            yield file, len(_read(file)), None
        except FileNotFoundError:
            continue
        except IqbenchError as error:
            yield file, None, error


def copy_reference_sets(source: Path, target: Path) -> None:
    """Copy the notes of reference sets that another results folder lacks."""
    for file in sorted((source / _REFERENCE_SETS).glob("*.json")):
        if not (target / _REFERENCE_SETS / file.name).exists():
            write_reference_set(target, file.stem, _read(file))


def current_sets(group: Stored, images: pa.Table | None = None) -> pa.Table:
    """Read the newest value of every metric and signature of one dataset and method.

    Parameters
    ----------
    group
        The dataset and method.
    images
        Its `iqbench.results.current.current_images`, if these were read.

    Returns
    -------
    pyarrow.Table
        Of `SETS`. A value of other images than the current ones is missing, with the error `STALE`;
        so is one that waits for all shards, with an error of its own.
    """
    table = last_rows(group.sets.rows(), "sets")
    if table.num_rows == 0:
        return table
    images = current_images(group.images) if images is None else images
    now = {members_digest(images, outputs_alone=alone) for alone in (False, True)} | {ANY_MEMBERS}
    rows = table.to_pylist()
    rows = [row for row in rows if row["members"] != REPLACED]
    for row in rows:
        if row["members"] not in now:
            error = row["error"] if row["members"] == OPEN_MEMBERS else STALE
            row |= {"value": None, "standard_error": None, "error": error}
    return set_table(rows)


def has_stale_values(group: Stored) -> bool:
    """Say whether a value is of other images than the current ones, or waits for all shards."""
    table = last_rows(group.sets.rows(), "sets")
    members = set(table.column("members").to_pylist()) - {REPLACED, ANY_MEMBERS}
    if not members:
        return False
    images = current_images(group.images)
    return bool(members - {members_digest(images, outputs_alone=alone) for alone in (False, True)})


def set_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Make a table of rows of values of sets."""
    columns = [
        pa.array([row[field.name] for row in rows], field.type.value_type).dictionary_encode()
        if pa.types.is_dictionary(field.type)
        else pa.array([row[field.name] for row in rows], field.type)
        for field in SETS
    ]
    return pa.table(columns, schema=SETS)
