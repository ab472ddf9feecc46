"""Composite scores: a formula over the means of columns, with ranks, intervals and ties."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from iqbench.boards.formula import Formula
from iqbench.boards.means import ColumnMeans, Infinite, MethodMeans
from iqbench.boards.order import competition_ranks, order_methods
from iqbench.boards.ranking import Ties, tied_groups
from iqbench.errors import IqbenchError, IqbenchWarning, unknown_name
from iqbench.results.columns import Columns
from iqbench.results.schema import ColumnInfo
from iqbench.results.selector import Keys, select_one
from iqbench.results.signature import signature
from iqbench.stats.arrays import Floats
from iqbench.stats.gains import shortfall
from iqbench.stats.paired import holm
from iqbench.user_files import open_regular

__all__ = ["Composite", "composite_ties", "presets", "read_composites", "with_composites"]

_DEFINITION = re.compile(
    r"\s*(?P<name>[A-Za-z0-9][A-Za-z0-9_.:+-]*)\s*(?:\((?P<direction>[^()=]*)\))?\s*=(?P<formula>.*)",
    re.DOTALL,
)
_HINT = "Write NAME = FORMULA, or NAME (lower) = FORMULA where less is better"


@dataclass(frozen=True)
class Composite:
    """A score that is computed from the means of other columns.

    Attributes
    ----------
    name
        The name of its column.
    formula
        The formula over columns.
    direction
        ``higher`` or ``lower`` is better.
    summary, source
        What it is, and the source of its formula.
    """

    name: str
    formula: Formula
    direction: str = "higher"
    summary: str = ""
    source: str = ""

    @classmethod
    def of(cls, text: str, where: str) -> Composite:
        """Read ``name = formula``, or ``name (lower) = formula``.

        Parameters
        ----------
        text
            The definition.
        where
            The place of the definition, for messages.

        Raises
        ------
        IqbenchError
            If the text is not a definition.
        """
        found = _DEFINITION.fullmatch(text)
        if found is None:
            raise IqbenchError(f"{where} defines no composite score: {text.strip()!r}", hint=_HINT)
        name, direction = found["name"], (found["direction"] or "higher").strip()
        if direction not in ("higher", "lower"):
            raise IqbenchError(f"{name} in {where}: no such direction {direction!r}", hint=_HINT)
        formula = Formula.of(found["formula"], f"{name!r} in {where}")
        return cls(name, formula, direction, "Composite score")

    @property
    def alternatives(self) -> list[list[str]]:
        """The names of each column of the formula, the preferred one first."""
        return [_alternatives(name) for name in self.formula.columns]

    def heading(self, name: str, signatures: Mapping[str, Keys], where: str) -> str | None:
        """Return the column of a name in the formula: the first alternative that exists."""
        meant = (select_one(text, signatures, where) for text in _alternatives(name))
        return next((item for item in meant if item is not None), None)

    @property
    def keys(self) -> Keys:
        """The metric and the signature of its column."""
        fields = {"metric": self.name, "formula": " ".join(self.formula.text.split())}
        return self.name, signature(fields)

    @property
    def info(self) -> ColumnInfo:
        """The description of its column."""
        text = f"{self.summary}: {' '.join(self.formula.text.split())}, of means over images."
        return ColumnInfo(
            self.direction, summary=self.summary, definition=text, citation=self.source
        )


def _alternatives(name: str) -> list[str]:
    """Split names at ``|``, except inside the brackets of a selector."""
    parts, depth = [""], 0
    for sign in name:
        depth += (sign == "[") - (sign == "]")
        if sign == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts if part.strip()]


@cache
def presets() -> Mapping[str, Composite]:
    """Return the predefined composite scores, by name."""
    text = files("iqbench.boards").joinpath("composites.yaml").read_text(encoding="utf-8")
    return {
        name: Composite(
            name,
            Formula.of(block["formula"], f"{name!r}"),
            block["direction"],
            block["summary"],
            block["source"],
        )
        for name, block in yaml.safe_load(text).items()
    }


def read_composites(texts: Iterable[str]) -> tuple[Composite, ...]:
    """Read what --composite takes.

    Parameters
    ----------
    texts
        Each a definition ``name = formula``, the name of a preset, or a file with one definition
        per line; a line that begins with a space continues the previous line, ``#`` begins a
        comment.

    Raises
    ------
    IqbenchError
        If a text is none of these, or two scores have the same name.
    """
    found: dict[str, Composite] = {}
    for text in texts:
        for one in _read(text):
            if one.name in found:
                raise IqbenchError(f"two composite scores are called {one.name!r}")
            found[one.name] = one
    return tuple(found.values())


def _read(text: str) -> list[Composite]:
    if "=" in text:
        return [Composite.of(text, "--composite")]
    if text in presets():
        return [presets()[text]]
    path = Path(text).expanduser()
    if not path.is_file():
        if path.suffix or "/" in text:
            raise IqbenchError(f"there is no file {text} of composite scores", hint=_HINT)
        raise unknown_name("composite score", text, presets())
    with open_regular(path) as file:
        content = file.read()
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise IqbenchError(f"{path} is not UTF-8 text", hint=_HINT) from error
    composites = [Composite.of(line, f"{path}, line {at}") for at, line in _definitions(lines)]
    if not composites:
        raise IqbenchError(f"{path} defines no composite score", hint=_HINT)
    return composites


def _definitions(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Join continued lines; return each definition with the number of its first line."""
    first, text = 0, ""
    for number, line in enumerate(lines, start=1):
        bare = line.partition("#")[0].rstrip()
        if not bare:
            continue
        if bare[0].isspace() and text:
            text += f" {bare.strip()}"
            continue
        if text:
            yield first, text
        first, text = number, bare
    if text:
        yield first, text


def with_composites(
    composites: Sequence[Composite],
    *,
    dataset: str,
    signatures: Mapping[str, Keys],
    means: Mapping[str, ColumnMeans],
    columns: Columns,
    complete: NDArray[np.bool_],
) -> dict[str, ColumnMeans]:
    """Compute composite scores on one dataset, in their order; a score may use earlier ones.

    Parameters
    ----------
    composites
        The scores to compute.
    dataset
        The name of the dataset.
    signatures, means
        The metric with its signature, and the means, of each column that exists, by heading.
    columns
        The descriptions of the columns, also of composite scores.
    complete
        Shape (methods,): which methods may be ranked.

    Returns
    -------
    dict
        The means of each score by name, without scores whose columns the dataset lacks.

    Warns
    -----
    IqbenchWarning
        For each score whose columns the dataset lacks.
    """
    known, there = dict(signatures), dict(means)
    found: dict[str, ColumnMeans] = {}
    for one in composites:
        where = f"dataset {dataset}"
        headings: dict[str, str] = {}
        lacking = []
        for name in one.formula.columns:
            heading = one.heading(name, known, where)
            if heading is None:
                lacking.append(name)
            else:
                headings[name] = heading
        if lacking:
            warnings.warn(
                f"{one.name} is not shown on {dataset!r}, which has no {', '.join(lacking)}",
                IqbenchWarning,
                stacklevel=2,
            )
            continue
        found[one.name] = _computed(one, headings, there, columns, complete)
        known[one.name], there[one.name] = one.keys, found[one.name]
    return found


def _computed(
    one: Composite,
    headings: Mapping[str, str],
    means: Mapping[str, ColumnMeans],
    columns: Columns,
    complete: NDArray[np.bool_],
) -> ColumnMeans:
    """Compute one score from the means, and from the means of each resample."""

    def ranked(name: str, table: Floats) -> Floats:
        if not columns.ranks(headings[name]):
            raise IqbenchError(
                f"rank('{name}') of {one.name}: {headings[name]} has no direction, so it has no "
                "ranks",
                hint="Use a column whose heading has an arrow",
            )
        distance = shortfall(table, columns.info(headings[name]))
        return competition_ranks(np.where(complete, distance, np.nan))

    def of_means(name: str) -> Floats:
        return means[headings[name]].mean.values

    def of_samples(name: str) -> Floats:
        mean = means[headings[name]].mean
        # A value of a whole set has no resamples: use the same value in each.
        return mean.values[np.newaxis] if mean.samples is None else mean.samples

    values = one.formula.evaluate(of_means, lambda name: ranked(name, of_means(name)))
    values = np.broadcast_to(values, complete.shape)
    samples = None
    drawn = [means[heading].mean for heading in headings.values()]
    if any(mean.samples is not None for mean in drawn):
        samples = one.formula.evaluate(of_samples, lambda name: ranked(name, of_samples(name)))
    certain = np.all([mean.certain for mean in drawn], axis=0)
    order = order_methods(values[np.newaxis], columns.info(one.name), complete)
    return ColumnMeans(
        MethodMeans(values, samples, certain),
        None,
        None,
        np.isfinite(values).astype(np.intp),
        Infinite.of(values[np.newaxis]),
        order.groups,
        order.ranks,
    )


def composite_ties(samples: Floats, info: ColumnInfo) -> Ties:
    """Group methods by a bootstrap test with the best of each group.

    Parameters
    ----------
    samples
        Shape (resamples, methods), the methods sorted by rank: their scores on the same resamples
        of the images.
    info
        The description of the score, for its direction.

    Returns
    -------
    Ties
        p is twice the share of resamples in which the order of the method and the best one is not
        that of most resamples, corrected by Holm. There are no effects.
    """
    count = samples.shape[1]
    p_values, effects = np.full(count, np.nan), np.full(count, np.nan)
    distance = shortfall(samples, info)

    def compare(best: int, others: Sequence[int]) -> Floats:
        behind = distance[:, list(others)] - distance[:, [best]]
        # A resample without a value counts for neither method.
        not_behind = (~(behind > 0)).sum(axis=0)
        not_ahead = (~(behind < 0)).sum(axis=0)
        share = (1 + np.minimum(not_behind, not_ahead)) / (1 + len(behind))
        corrected = holm(list(np.minimum(1.0, 2 * share)))
        if best == 0:
            p_values[1:] = corrected
        return np.where(not_behind < not_ahead, corrected, 1.0)

    return Ties(tied_groups(count, compare), p_values, effects)
