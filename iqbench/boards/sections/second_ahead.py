"""Images on which the second method is ahead.

The method with the best mean need not be the best on every image. These are the images on which
the second method beats it, those with the largest gain first.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from iqbench.boards.board import Board
from iqbench.document.model import Section, direction_arrow, numbers, texts
from iqbench.stats.gains import shortfall

__all__ = ["sections"]

_MOST = 5


def sections(board: Board) -> Iterator[Section]:
    """Make one section per dataset on which the second method is ahead on some image."""
    for one in board.datasets:
        methods = one.ranked()[:2]
        if one.ranked_by_images is None or len(methods) < 2:
            continue
        info = one.info(one.ranked_by_images)
        values = one.scores.column(one.ranked_by_images)[:, one.at(methods)]
        distance = shortfall(values, info)
        known = np.isfinite(values).all(axis=1)
        ahead = np.where(known, distance[:, 0] - distance[:, 1], 0.0)
        order = np.argsort(-ahead, kind="stable")
        swapped = order[ahead[order] > 0]
        if len(swapped):
            shown = swapped[:_MOST]
            heading = f"{one.ranked_by_images} {direction_arrow(info)}".rstrip()
            yield Section(
                one.dataset,
                [heading, f"{methods[1]} is ahead on {len(swapped)} of {known.sum()} images"],
                [
                    texts("image", (one.scores.images[at] for at in shown)),
                    *(
                        numbers(method, values[shown, place], info.decimals)
                        for place, method in enumerate(methods)
                    ),
                    numbers("ahead by", ahead[shown], info.decimals + 1),
                ],
            )
