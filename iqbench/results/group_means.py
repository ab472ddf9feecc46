"""Means over the images of a group, such as the frames of a clip or the views of a scene.

The group of an image is the folder in its id: ``clip`` of ``clip/0001``. An image whose id has no
folder is in no group.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["GROUP_COLUMNS", "group_means"]

GROUP_COLUMNS = [
    *("dataset", "method", "group", "metric", "value", "signature", "protocol", "n", "expected")
]

_OWNER = ["dataset", "method", "group"]


def group_means(scores: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """Average the values of images by their group.

    Parameters
    ----------
    scores
        Values of images, in the long form of `iqbench.load_scores`.
    images
        Dataset, method and image of every image that methods should have, and ``group``, if a group
        is stored that is not the folder in the id.

    Returns
    -------
    pandas.DataFrame
        The columns of `GROUP_COLUMNS`, one row for each dataset, method, group, metric and
        signature: the mean of the values that exist, NaN where none does, of how many images it is
        (``n``), and how many the group has (``expected``).
    """
    members = images.assign(group=_groups(images))[[*_OWNER, "image"]].dropna(subset="group")
    expected = members.groupby(_OWNER, sort=False, observed=True).size().rename("expected")
    own = scores.astype({"dataset": object, "method": object, "image": object})
    own = own.merge(members, on=["dataset", "method", "image"])
    by_group = own.groupby([*_OWNER, "metric", "signature", "protocol"], sort=False, observed=True)
    with np.errstate(invalid="ignore"):  # infinite values of both signs have no mean
        found = by_group["value"].agg(value="mean", n="count").reset_index()
    return found.join(expected, on=_OWNER)[GROUP_COLUMNS]


def _groups(images: pd.DataFrame) -> pd.Series[str]:
    """Return the group of each image; missing where it has none."""
    folder = images["image"].astype(object).str.extract(r"(?s)^(.+)/", expand=False)
    stored = images["group"].astype(object)
    return stored.where(stored.notna(), folder)
