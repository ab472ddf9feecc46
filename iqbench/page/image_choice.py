"""Choose the images of each dataset that a report shows, and the methods shown with them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from iqbench.boards.board import Board
from iqbench.boards.dataset_board import DatasetBoard
from iqbench.boards.disputes import METHODS_APART
from iqbench.document.text import number
from iqbench.stats.gains import shortfall

__all__ = ["METHODS", "NAMED", "Pick", "picks_of"]

METHODS = 6
"""The largest number of methods whose output is shown for one image."""

NAMED = 4
"""How many images of a dataset are chosen for a reason, if the user gives no number."""


@dataclass
class Pick:
    """An image to show.

    Attributes
    ----------
    dataset, image
        Names of the dataset and of the image.
    methods
        The methods whose outputs are shown, by rank.
    reasons
        Why the image is shown, each a word and its explanation: ``worst``, ``worst of edsr: psnr
        23.10``. Empty for an image that only fills free space.
    """

    dataset: str
    image: str
    methods: list[str]
    reasons: list[tuple[str, str]] = field(default_factory=list)


def picks_of(found: Board, count: int | None) -> list[Pick]:
    """Choose images: the worst and best ones of the best method, and disputed ones, alternating.

    Parameters
    ----------
    found
        The compared methods of all datasets.
    count
        How many images of each dataset; None for all that have values, those with a reason first.

    Returns
    -------
    list of Pick
        The first image of each dataset, then the second of each, and so on. A page whose size is
        limited leaves out images from the end.
    """
    most = NAMED if count is None else count
    ends, disputed = found.images(most), found.disputes(most)
    chosen: list[list[Pick]] = []
    for one in found.datasets:
        own = ends[ends["dataset"] == one.dataset], disputed[disputed["dataset"] == one.dataset]
        picks: dict[str, Pick] = {}
        for image, word, text in _reasons(one, *own):
            pick = picks.get(image)
            if pick is None and len(picks) < most:
                pick = picks[image] = Pick(one.dataset, image, _shown(one, image))
            # Nobody reads more than three reasons.
            if pick is not None and len(pick.reasons) < 3 and (word, text) not in pick.reasons:
                pick.reasons.append((word, text))
        chosen.append(list(picks.values()))
        if count is None:
            chosen[-1] += _others(one, picks)
    turns = range(max(map(len, chosen), default=0))
    return [picks[turn] for turn in turns for picks in chosen if turn < len(picks)]


def _others(one: DatasetBoard, picked: Collection[str]) -> Iterator[Pick]:
    """Return the images that have values and were not chosen for a reason."""
    if one.ranked_by_images is None:
        return
    for image in one.scores.images:
        if image not in picked and (methods := _shown(one, image)):
            yield Pick(one.dataset, image, methods)


def _reasons(
    one: DatasetBoard, ends: pd.DataFrame, disputed: pd.DataFrame
) -> Iterator[tuple[str, str, str]]:
    """Return chosen images with the reason; the kinds of reasons alternate."""
    kinds: list[list[tuple[str, str, str]]] = []
    methods = [str(name) for name in dict.fromkeys(ends["method"])]
    for place, method in enumerate(methods):
        leader = place == 0
        for what in ("worst", "best") if leader else ("worst",):
            rows = ends[(ends["method"] == method) & (ends["what"] == what)]
            kinds.append(
                [
                    (str(row["image"]), what, f"{what} of {method}: {_value(one, row)}")
                    for row in rows.to_dict("records")
                ]
            )
        if leader:
            for kind, rows in disputed.groupby("what", sort=False):
                kinds.append(
                    [
                        (str(row["image"]), "disputed", _dispute(one, str(kind), row))
                        for row in rows.to_dict("records")
                    ]
                )
    leading, others = kinds[:4], kinds[4:]
    for group in (leading, others):
        for turn in range(max(map(len, group), default=0)):
            yield from (kind[turn] for kind in group if turn < len(kind))


def _value(one: DatasetBoard, row: Mapping[Any, Any]) -> str:
    metric = str(row["metric"])
    return f"{metric} {number(row['value'], one.info(metric).decimals)}"


def _dispute(one: DatasetBoard, what: str, row: Mapping[Any, Any]) -> str:
    value = float(row["value"])
    if what == METHODS_APART:
        metric = str(row["metrics"])
        gap = number(value, one.info(metric).decimals)
        return f"methods are furthest apart: {row['best']} and {row['worst']} by {gap} in {metric}"
    return f"{row['metrics']} metrics agree least about the methods: Kendall's W {value:.2f}"


def _shown(one: DatasetBoard, image: str) -> list[str]:
    """Return the methods with a value of this image, by rank; if many, the best and the worst."""
    assert one.ranked_by_images is not None
    values = one.scores.column(one.ranked_by_images)[one.scores.images.index(image)]
    distance = shortfall(values, one.info(one.ranked_by_images))
    own = {
        method: value
        for method, value in zip(one.scores.methods, distance, strict=True)
        if not np.isnan(value)
    }
    ranked = [str(name) for name in one.rows["method"] if str(name) in own]
    if len(ranked) <= METHODS:
        return ranked
    ends = {min(ranked, key=own.__getitem__), max(ranked, key=own.__getitem__)}
    first = [name for name in ranked if name not in ends][: METHODS - len(ends)]
    return [name for name in ranked if name in ends or name in first]
