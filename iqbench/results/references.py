"""Find scores of outdated references, so that they are never mixed with current scores."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from iqbench.errors import IqbenchWarning
from iqbench.results.names import coded

__all__ = ["AGAIN", "Stale", "stale_among", "stale_rows"]

AGAIN = "Score all methods of the dataset again: iqbench evaluate"
"""What to do about scores that were made with another reference."""

_ROW = ["dataset", "method", "image"]


@dataclass(frozen=True)
class Stale:
    """The images of methods that were scored against another reference than the newest one.

    Attributes
    ----------
    rows
        Dataset, method and image.
    """

    rows: pd.DataFrame

    @property
    def counts(self) -> Mapping[str, int]:
        """Count them by method."""
        return {str(name): int(n) for name, n in self.rows["method"].value_counts().items()}

    def without(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Leave out the rows of a table of scores or images that belong to these images."""
        if self.rows.empty:
            return frame
        own = pd.MultiIndex.from_frame(frame[_ROW].astype(str))
        return frame[~own.isin(pd.MultiIndex.from_frame(self.rows))]

    def warn(self, consequence: str = "and left out") -> None:
        """Warn of each dataset and method, if there are any.

        Parameters
        ----------
        consequence
            What is done about them.
        """
        several = self.rows.groupby(["dataset", "method"], as_index=False, observed=True).size()
        for dataset, method, count in several.itertuples(index=False, name=None):
            warnings.warn(
                f"{method} on {dataset}: {count} image{'s' * (count != 1)} scored against other "
                f"reference images than the newest, {consequence}: scores of two references "
                f"cannot be compared. {AGAIN}",
                IqbenchWarning,
                stacklevel=3,
            )


def stale_among(images: pd.DataFrame, filters: Mapping[str, Collection[str]]) -> Stale:
    """Find such images among the datasets and methods that filters name, see `stale_rows`."""
    datasets = filters.get("dataset")
    if datasets is not None:
        images = images[images["dataset"].isin(list(datasets))]
    return stale_rows(images, filters.get("method"))


def stale_rows(images: pd.DataFrame, methods: Collection[str] | None = None) -> Stale:
    """Find the images of methods that were scored against another reference than the newest one.

    The newest reference of an image is the one in the row that was written last, of the methods
    that are to be compared.

    Parameters
    ----------
    images
        As `iqbench.results.read.load_images` gives them; without the columns reference_digest and
        written, nothing is known to be stale.
    methods
        Which methods are to be compared; all by default.

    Returns
    -------
    Stale
        Without rows where every image has one reference.
    """
    nothing = Stale(pd.DataFrame({name: pd.Series(dtype=object) for name in _ROW}))
    if "reference_digest" not in images or "written" not in images:
        return nothing
    known = images[images["reference_digest"].notna()]
    if methods is not None:
        known = known[known["method"].isin(list(methods))]
    picture = _numbers(known, ["dataset", "image"])
    digest = coded(known["reference_digest"])[0].astype(np.int64)
    if not len(known) or _one_each(picture, digest):
        return nothing
    # The last row of each image by its time; of equal times, the last digest by name.
    order = np.lexsort((digest, known["written"].to_numpy(), picture))
    newest = np.empty(picture.max() + 1, dtype=np.int64)
    newest[picture[order]] = digest[order]
    stale = known.loc[digest != newest[picture], _ROW].astype(str)
    return Stale(stale.reset_index(drop=True))


def _numbers(rows: pd.DataFrame, keys: list[str]) -> np.ndarray:
    numbers = np.zeros(len(rows), dtype=np.int64)
    for key in keys:
        codes, names = coded(rows[key])
        numbers = numbers * max(len(names), 1) + codes
    return np.unique(numbers, return_inverse=True)[1]


def _one_each(picture: np.ndarray, digest: np.ndarray) -> bool:
    """Say whether every image has one digest."""
    first = np.full(picture.max() + 1, -1, dtype=np.int64)
    first[picture] = digest
    return bool((first[picture] == digest).all())
