"""Images behind the means of a leaderboard: the worst, the best, and the largest differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from iqbench.boards.dataset_board import DatasetBoard
from iqbench.results.names import natural
from iqbench.results.schema import ColumnInfo
from iqbench.stats.arrays import smallest
from iqbench.stats.gains import gains, shortfall

__all__ = ["images_of"]

_NAMES = ("dataset", "metric", "what", "method", "other", "image", "value", "other_value", "gain")


def images_of(found: Sequence[DatasetBoard], top: int = 3) -> pd.DataFrame:
    """Return the extreme images of each dataset, in the column that ranks it.

    Parameters
    ----------
    found
        The boards of the datasets.
    top
        How many images of each kind.

    Returns
    -------
    pandas.DataFrame
        The column ``what`` names the kind of each row:

        - ``worst`` and ``best``: the images with the worst and best values of each method, also of
          incomplete ones; the extreme image first, equal ones sorted by name;
        - ``ahead`` and ``behind``: the images with the largest gain and the largest loss of
          ``method`` over ``other``, with both values and the gain, which is positive if ``method``
          is better. These are the best two methods, or the only two that are shown.
    """
    rows: list[dict[str, Any]] = []
    for one in sorted(found, key=lambda one: natural(one.dataset)):
        if one.ranked_by_images is not None:
            info = one.info(one.ranked_by_images)
            kept = [name for name in one.rows["method"] if name in one.scores.methods]
            facts = {"dataset": one.dataset, "metric": one.ranked_by_images}
            found_here = [row for name in kept for row in _ends(one, name, info, top)]
            found_here += _apart(one, kept, info, top)
            rows += [facts | row for row in found_here]
    return pd.DataFrame(rows, columns=list(_NAMES)).astype(
        {"value": float, "other_value": float, "gain": float}
    )


def _ends(one: DatasetBoard, method: str, info: ColumnInfo, top: int) -> list[dict[str, Any]]:
    assert one.ranked_by_images is not None
    values = one.scores.column(one.ranked_by_images)[:, one.at([method])[0]]
    distance = shortfall(values, info)
    rows = []
    for what, key in (("worst", -distance), ("best", distance)):
        for at in smallest(key, top):
            image = one.scores.images[at]
            rows.append({"what": what, "method": method, "image": image, "value": values[at]})
    return rows


def _apart(
    one: DatasetBoard, methods: Sequence[str], info: ColumnInfo, top: int
) -> list[dict[str, Any]]:
    """Compare the best two methods; if fewer than two are ranked, the only two that exist."""
    ranked = one.ranked()
    pair = ranked[:2] if len(ranked) > 1 else methods if len(methods) == 2 else []
    if not pair:
        return []
    method, other = pair
    assert one.ranked_by_images is not None
    values = one.scores.column(one.ranked_by_images)[:, one.at(pair)]
    gain = gains(values[:, 1], values[:, 0], info)
    rows = []
    for what, sign in (("ahead", 1), ("behind", -1)):
        for at in smallest(np.where(sign * gain > 0, -sign * gain, np.nan), top):
            rows.append(
                {
                    "what": what,
                    "method": method,
                    "other": other,
                    "image": one.scores.images[at],
                    "value": values[at, 0],
                    "other_value": values[at, 1],
                    "gain": gain[at],
                }
            )
    return rows
