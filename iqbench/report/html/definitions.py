"""What a metric's number is: its definition and source, one click from every heading.

The classes of metrics import torch, which a report does not need. What they say of themselves is
read from their files instead.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from iqbench.analysis.columns import metric_of
from iqbench.document.model import direction_arrow
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
        The definition of the metric; empty for one from another package.
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
    signatures: Mapping[str, Iterable[str]], columns: Mapping[str, ColumnInfo]
) -> dict[str, Definition]:
    """Define columns.

    Parameters
    ----------
    signatures
        Of each heading.
    columns
        Directions and summaries by metric.
    """
    found = {}
    for heading, texts in signatures.items():
        info = columns.get(metric_of(heading), ColumnInfo("none"))
        fields = [parse_signature(text) for text in dict.fromkeys(texts)]
        name = fields[0].get("metric", "") if fields else ""
        paragraphs, citation = _told().get(_family(name or metric_of(heading)), ([], ""))
        found[heading] = Definition(
            heading,
            direction_arrow(info),
            _better(info),
            info.summary,
            paragraphs,
            citation,
            fields,
        )
    return found


def _better(info: ColumnInfo) -> str:
    if info.target is not None:
        return f"Closer to {info.target:g} is better"
    return {"higher": "Higher is better", "lower": "Lower is better"}.get(
        info.direction, "Neither more nor less is better: it ranks nothing"
    )


def _family(name: str) -> str:
    """Find the metric that a column belongs to: ``lpips`` of ``lpips-alex``."""
    known = _told()
    while name and name not in known:
        name = name.rpartition("-")[0]
    return name


@cache
def _told() -> dict[str, tuple[list[str], str]]:
    """Read definition and source of every metric that comes with iqbench."""
    told = {}
    for file in (files("iqbench") / "metrics").iterdir():
        if file.name.endswith(".py") and not file.name.startswith("_"):
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef):
                    stated = dict(_constants(node))
                    text = inspect.cleandoc(ast.get_docstring(node) or "")
                    if "name" in stated and "citation" in stated:
                        told[stated["name"]] = (_paragraphs(text), stated["citation"])
    return told


def _constants(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            value = item.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield item.target.id, value.value


def _paragraphs(text: str) -> list[str]:
    """Take the prose of a docstring: what stands before its sections."""
    prose = text.partition("\n\nParameters\n")[0].partition("\n\nAttributes\n")[0]
    return [" ".join(part.split()).replace("`", "") for part in prose.split("\n\n")]
