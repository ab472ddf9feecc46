"""Compare each pair of methods, image by image."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from iqbench.boards.dataset_board import DatasetBoard
from iqbench.boards.order import averaged_info
from iqbench.boards.ranking import ALPHA
from iqbench.results.names import natural
from iqbench.stats.gains import gains
from iqbench.stats.paired import holm, paired_test

__all__ = ["PAIR_COLUMNS", "pairs_of"]

PAIR_COLUMNS = (
    *("dataset", "metric", "method", "other", "n", "wins", "losses", "draws"),
    *("infinite_gains", "infinite_losses", "gain", "p_value", "p_holm", "significant", "effect"),
)
"""Columns of a table of pairs."""


def pairs_of(found: Sequence[DatasetBoard]) -> pd.DataFrame:
    """Compare each pair of ranked methods on the images of a dataset.

    Columns with one value per method, such as FID, are not compared, as they have no images.

    Parameters
    ----------
    found
        The boards of the datasets.

    Returns
    -------
    pandas.DataFrame
        One row per dataset and pair; ``method`` is ranked no worse than ``other``. The column is
        the one that ranks the dataset or, if that has one value per method, the first with values
        of images. The row has

        - the numbers of n images on which ``method`` wins, loses and draws (equal to 9 digits),
          and on how many of these the gain or loss is infinite;
        - gain, the difference of the means that decide the ranks, positive if ``method`` is
          better; NaN if only infinite values decide;
        - p_value of Wilcoxon's signed-rank test, and p_holm, corrected for all pairs of the
          dataset;
        - significant, whether p_holm is at most 5 % and the test and the gain agree on which
          method is better;
        - effect, the rank-biserial correlation, 1 if every image is better;
        - each column with one value per method, always NaN.
    """
    parts = [
        _of_dataset(one)
        for one in sorted(found, key=lambda one: natural(one.dataset))
        if len(one.ranked()) > 1 and one.compared_by_images is not None
    ]
    return (
        pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(PAIR_COLUMNS))
    )


def _of_dataset(one: DatasetBoard) -> pd.DataFrame:
    heading = one.compared_by_images
    assert heading is not None
    info = one.info(heading)
    values = one.scores.column(heading)
    order = one.orders[heading]
    methods = one.ranked()
    ranks = np.nan_to_num(order.ranks[one.at(methods)], nan=np.inf)
    ranked = [methods[place] for place in np.argsort(ranks, kind="stable")]
    sign = 1.0 if averaged_info(info).direction == "higher" else -1.0
    rows = []
    for method, other in combinations(ranked, 2):
        at, against = one.at([method, other])
        gain = gains(values[:, against], values[:, at], info)
        outcome = paired_test(gain)
        means = order.means[[at, against]]
        together = order.groups[at] == order.groups[against]
        rows.append(
            {
                "dataset": one.dataset,
                "metric": heading,
                "method": method,
                "other": other,
                "n": outcome.n,
                "wins": int(np.sum(gain > 0)),
                "losses": int(np.sum(gain < 0)),
                "draws": int(np.sum(gain == 0)),
                "infinite_gains": int(np.isposinf(gain).sum()),
                "infinite_losses": int(np.isneginf(gain).sum()),
                "gain": sign * (means[0] - means[1]) + 0.0 if together else np.nan,
                "p_value": outcome.p_value,
                "effect": outcome.effect,
                # Of two methods with equal rank, none is ahead.
                "ahead": order.ranks[at] < order.ranks[against],
            }
        )
    table = pd.DataFrame(rows)
    table["p_holm"] = holm(table["p_value"])
    table["significant"] = (table["p_holm"] <= ALPHA) & table["ahead"] & (table["effect"] > 0)
    sets = [name for name in one.sets if name not in PAIR_COLUMNS]
    return table[list(PAIR_COLUMNS)].assign(**dict.fromkeys(sets, np.nan))
