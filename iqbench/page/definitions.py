"""What a metric's number is: its definition and source, one click from every heading.

The classes of metrics import torch, which a report does not need. What they say of their columns
is in the tables.
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
    """How a column is to be read.

    Attributes
    ----------
    heading
        The column's.
    arrow
        Sign of what is better, and in words.
    better
        The same in words.
    summary
        One line.
    paragraphs
        The definition of the metric; empty where the tables have none.
    citation
        Its source.
    signatures
        How the values were computed: fields and their values, of each signature that is used.
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
    """Define columns.

    Parameters
    ----------
    signatures
        Of each heading.
    columns
        What the tables say of each metric.
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
        info.direction, "Neither more nor less is better: it ranks nothing"
    )
