"""Moments of sets of images, stored instead of the features if a set is large.

A folder below ``moments/`` contains the moments of one extractor, one part per set: the number, the
mean and the scatter of its features, and the digests of its images. Moments of disjoint sets can be
merged, so a part may also belong to some images of a set, such as those of a shard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from iqbench.results.extractor_files import (
    FeatureKey,
    extractor_folder,
    keys_of,
    opened,
    write_part,
)
from iqbench.results.parts import list_parts

__all__ = ["ImageSet", "MomentTable", "SetName", "StoredMoments", "set_digest"]

Floats = NDArray[np.float64]

_SMALL = ("dataset", "method", "set", "images")


class SetName(NamedTuple):
    """Whose images a set has: outputs of a method, or references.

    Attributes
    ----------
    dataset
        Its name; empty for a reference set.
    method
        The method; empty for the references of the dataset, the digest of a reference set.
    """

    dataset: str
    method: str


class ImageSet(NamedTuple):
    """The images of a set.

    Attributes
    ----------
    name
        Whose they are.
    keys
        The images; one that the set has twice is there twice.
    """

    name: SetName
    keys: Sequence[FeatureKey]


def set_digest(keys: Iterable[FeatureKey]) -> str:
    """Name a set by its images, whatever their order; an image that it has twice counts twice."""
    digest = sha256()
    for key in sorted(keys):
        digest.update(f"{key.digest}/{key.peak}\n".encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class StoredMoments:
    """The moments of a set in a part.

    Attributes
    ----------
    part
        The file.
    name
        Whose images.
    digest
        Of the set.
    images
        How many.
    """

    part: Path
    name: SetName
    digest: str
    images: int

    def members(self) -> Counter[FeatureKey]:
        """Read which images the set has, and how often each."""
        with opened(self.part) as file:
            (row,) = file.read(columns=["digests", "peaks"]).to_pylist()
        return Counter(keys_of(row["digests"], row["peaks"]))

    def read(self) -> tuple[int, Floats, Floats]:
        """Read the number of rows, their mean (d,), and their scatter (d, d)."""
        with opened(self.part) as file:
            table = file.read(columns=["rows", "mean", "scatter"])
        mean, half = (
            table.column(name).chunk(0).flatten().to_numpy() for name in ("mean", "scatter")
        )
        scatter = np.zeros((len(mean), len(mean)))
        above = np.triu_indices(len(mean))
        scatter[above] = half
        scatter.T[above] = half
        return table.column("rows")[0].as_py(), mean.copy(), scatter


class MomentTable:
    """The moments of sets, of the features that one extractor gave.

    Parameters
    ----------
    root
        The results folder.
    signature
        Of the extractor: weights, options, view.
    """

    def __init__(self, root: Path, signature: str) -> None:
        self.signature = signature
        self.folder = extractor_folder(root, "moments", signature)

    def sets(self) -> list[StoredMoments]:
        """List what is there, oldest first."""
        found = []
        for part in list_parts(self.folder):
            with suppress(FileNotFoundError), opened(part) as file:
                found.append(_described(part, file))
        return found

    def write(self, images: ImageSet, rows: int, mean: Floats, scatter: Floats) -> StoredMoments:
        """Write the moments of a set.

        Parameters
        ----------
        images
            The set.
        rows
            How many rows of features they have.
        mean, scatter
            (d,) and (d, d): of the rows, and the sum of (x - mean)(x - mean)^T.
        """
        name, keys = images
        digest = set_digest(keys)
        columns: dict[str, pa.Array] = {
            "dataset": pa.array([name.dataset], pa.string()),
            "method": pa.array([name.method], pa.string()),
            "set": pa.array([digest], pa.string()),
            "images": pa.array([len(keys)], pa.int64()),
            "digests": pa.array([[key.digest for key in keys]], pa.large_list(pa.string())),
            "peaks": pa.array([[key.peak for key in keys]], pa.large_list(pa.int32())),
            "rows": pa.array([rows], pa.int64()),
            "mean": _listed(mean),
            "scatter": _listed(scatter[np.triu_indices(len(mean))]),  # it is symmetric
        }
        part = write_part(self.folder, pa.table(columns), self.signature, use_dictionary=False)
        return StoredMoments(part, name, digest, len(keys))

    def take(self, folder: Path) -> None:
        """Copy from another folder the moments of sets that are not here yet.

        Parameters
        ----------
        folder
            Of the same extractor, in another results folder.
        """
        known = {one.digest for one in self.sets()}
        for part in list_parts(folder):
            with opened(part) as file:
                one = _described(part, file)
                if one.digest not in known:
                    write_part(self.folder, file.read(), self.signature, use_dictionary=False)
                    known.add(one.digest)


def _described(part: Path, file: pq.ParquetFile) -> StoredMoments:
    (row,) = file.read(columns=list(_SMALL)).to_pylist()
    return StoredMoments(part, SetName(row["dataset"], row["method"]), row["set"], row["images"])


def _listed(values: Floats) -> pa.Array:
    """Make one row that holds all the values."""
    return pa.LargeListArray.from_arrays(pa.array([0, len(values)], pa.int64()), pa.array(values))
