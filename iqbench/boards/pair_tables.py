"""Sections about pairs of methods and about single images, one per dataset."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from iqbench.boards.pairwise import PAIR_COLUMNS
from iqbench.document.model import Entry, Section, TableColumn, direction_arrow, numbers, texts
from iqbench.document.text import number
from iqbench.results.columns import Columns

__all__ = ["image_sections", "pair_sections"]

_EFFECT = 2
_COUNT = 0
_P = 3


def pair_sections(pairs: pd.DataFrame, columns: Columns) -> Iterator[Section]:
    """Show the pairs of `iqbench.boards.pairwise.pairs_of`; significant gains are bold."""
    sets = [name for name in pairs.columns if name not in PAIR_COLUMNS]
    for (dataset, metric), rows in pairs.groupby(["dataset", "metric"], sort=False):
        info = columns.info(str(metric))
        gains = [
            Entry(
                number(row["gain"], info.decimals),
                int(row["significant"]),
                note=_infinite(row["infinite_gains"], row["infinite_losses"]),
                value=float(row["gain"]),
            )
            for row in rows.to_dict("records")
        ]
        found = [
            texts("method", rows["method"]),
            texts("other", rows["other"]),
            *(numbers(name, rows[name], _COUNT) for name in ("wins", "losses", "draws")),
            TableColumn("value", "gain", gains),
            numbers("p Holm", rows["p_holm"], _P),
            numbers("effect", rows["effect"], _EFFECT),
            *(
                numbers(f"{name} {direction_arrow(columns.info(name))}".rstrip(), rows[name])
                for name in sets
            ),
        ]
        images = int(rows["n"].max())
        facts = [
            f"{metric} {direction_arrow(info)}".rstrip(),
            f"{images} image{'s' * (images != 1)}",
        ]
        bold = "significant at 5 % after Holm's correction"
        remarks = [f"{', '.join(sets)}: - (one value per method: no images to win)"] if sets else []
        yield Section(str(dataset), facts, found, remarks=remarks, bold=bold)


def image_sections(images: pd.DataFrame, columns: Columns) -> Iterator[Section]:
    """Show the images of `iqbench.boards.by_image.images_of`."""
    apart = images["what"].isin(["ahead", "behind"])
    for (dataset, metric), rows in images.groupby(["dataset", "metric"], sort=False):
        info = columns.info(str(metric))
        heading = f"{metric} {direction_arrow(info)}".rstrip()
        for two, part in rows.groupby(apart.loc[rows.index], sort=False):
            found = [
                texts("method", part["method"]),
                texts("what", part["what"]),
                texts("image", part["image"]),
                numbers(heading, part["value"], info.decimals),
            ]
            if two:
                other = str(part["other"].iloc[0])
                found += [
                    numbers(other, part["other_value"], info.decimals),
                    numbers("gain", part["gain"], info.decimals),
                ]
            title = f"furthest from {other}" if two else "worst and best images"
            yield Section(str(dataset), [title], found)


def _infinite(gains: int, losses: int) -> str:
    """Count the infinite gains and losses, which the mean leaves out."""
    return ", ".join(f"{sign}{n} inf" for sign, n in (("+", gains), ("-", losses)) if n)
