"""Definitions of metrics, which a page shows when the heading of a column is clicked.

The classes of metrics import torch, which a report does not need. So a definition is made from
the tables, which record the description of each column.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from iqbench.document.model import direction_arrow
from iqbench.results.columns import Columns
from iqbench.results.schema import ColumnInfo
from iqbench.results.signature import parse_signature

__all__ = ["Definition", "definitions_of"]


@dataclass(frozen=True)
class Definition:
    """The meaning of a column.

    Attributes
    ----------
    heading
        The heading of the column.
    arrow
        The sign for the direction: an arrow.
    better
        The direction in words.
    summary
        One line about the metric.
    paragraphs
        The definition of the metric; empty if the tables do not have it.
    citation
        The source of the metric.
    signatures
        How the values were computed: the fields of each signature that is used, with their values.
    """

    heading: str
    arrow: str
    better: str
    summary: str
    paragraphs: list[str]
    citation: str
    signatures: list[dict[str, str]]


def definitions_of(
    signatures: Mapping[str, Iterable[str]], columns: Columns
) -> dict[str, Definition]:
    """Return the definitions of columns.

    Parameters
    ----------
    signatures
        The signatures of each heading.
    columns
        The descriptions of the metrics in the tables.
    """
    found = {}
    for heading, texts in signatures.items():
        info = columns.info(heading)
        found[heading] = Definition(
            heading,
            direction_arrow(info),
            _better(info),
            info.summary,
            [part for part in info.definition.split("\n\n") if part],
            info.citation,
            [parse_signature(text) for text in dict.fromkeys(texts)],
        )
    return found


def _better(info: ColumnInfo) -> str:
    if info.target is not None:
        return f"Closer to {info.target:g} is better"
    return {"higher": "Higher is better", "lower": "Lower is better"}.get(
        info.direction, "No direction is better: the column ranks nothing"
    )
