"""The columns of tables: the metrics, their order, and their descriptions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from iqbench.results.names import combinations_of
from iqbench.results.schema import ColumnInfo
from iqbench.results.selector import Keys, Selector
from iqbench.results.signature import signature

__all__ = ["Columns", "bracketed", "distance_name", "metric_of"]

_UNKNOWN = ColumnInfo("none")


def metric_of(heading: str) -> str:
    """Name the metric under a heading: ``psnr`` under ``psnr [view=luma]``."""
    return heading.partition("[")[0].rstrip()


def bracketed(heading: str) -> str:
    """Give as a signature what a heading has in brackets: ``view=luma`` of ``psnr [view=luma]``."""
    said = heading.partition("[")[2].removesuffix("]").split(", ")
    return signature({part.partition("=")[0]: part.partition("=")[2] for part in said if part})


class Columns(Mapping[str, ColumnInfo]):
    """What tables say of their metrics, by name, in the order in which metrics are shown.

    Parameters
    ----------
    infos
        By metric, in that order.
    first
        Selectors of columns that stand before all others, in this order.
    """

    def __init__(
        self, infos: Mapping[str, ColumnInfo] | None = None, first: Sequence[str] = ()
    ) -> None:
        self._infos = dict(infos or {})
        self._first = [Selector.of(text) for text in first]
        self._places = {metric: place for place, metric in enumerate(self._infos)}

    def __getitem__(self, metric: str) -> ColumnInfo:
        return self._infos[metric]

    def __iter__(self) -> Iterator[str]:
        return iter(self._infos)

    def __len__(self) -> int:
        return len(self._infos)

    def info(self, heading: str) -> ColumnInfo:
        """Say how the column under a heading is read: ``psnr [view=luma]`` as ``psnr`` is.

        A metric of which nothing is known has no direction.
        """
        return self._infos.get(metric_of(heading), _UNKNOWN)

    def ranks(self, heading: str) -> bool:
        """Say whether a column has a direction, so that methods can be ranked by it."""
        return self.info(heading).direction != "none"

    def place(self, heading: str) -> int:
        """Give the place of a column's metric among all; those that are unknown come last."""
        return self._places.get(metric_of(heading), len(self._places))

    def ordered(self, headings: Iterable[str] | Mapping[str, Keys]) -> list[str]:
        """Sort headings: those that were named first, then by the place of their metric.

        Parameters
        ----------
        headings
            With metric and signature of each, or without: then the columns of one metric are told
            apart by what stands in their headings.
        """
        keys = headings if isinstance(headings, Mapping) else {}

        def place(heading: str) -> tuple[int, int, str]:
            found = keys.get(heading) or (metric_of(heading), bracketed(heading))
            fits = (at for at, one in enumerate(self._first) if one.fits(*found))
            return next(fits, len(self._first)), self.place(heading), heading

        return sorted(headings, key=place)

    def leading(self, texts: Sequence[str]) -> Columns:
        """Return the columns with those first that selectors mean, in the selectors' order."""
        named = [Selector.of(text).metric for text in texts]
        first = {metric: self[metric] for metric in named if metric in self}
        return Columns(first | self._infos, texts)

    def united(self, newer: Columns) -> Columns:
        """Join with other columns, which have the last word on those that both have."""
        first = [str(one) for one in (self._first or newer._first)]
        return Columns(self._infos | newer._infos, first)

    def choose(
        self, scores: pd.DataFrame, shown: str | Sequence[str], extra: Sequence[str] = ()
    ) -> tuple[pd.DataFrame, set[Keys], set[Keys]]:
        """Keep the scores of the columns that are to be shown.

        Parameters
        ----------
        scores
            Long form.
        shown
            ``all``; ``headline``, or all where no column is one; or selectors.
        extra
            Selectors of columns that are kept too.

        Returns
        -------
        tuple
            The scores, all columns that they had, and those that were kept.
        """
        number, met = combinations_of(scores, ["metric", "signature"])
        there: list[Keys] = list(met.itertuples(index=False, name=None))
        named = [shown] if isinstance(shown, str) else list(shown)
        if named == ["all"]:
            taken = set(there)
        elif named == ["headline"]:
            taken = {keys for keys in there if self.info(keys[0]).headline} or set(there)
        else:
            taken = _meant(named, there)
        taken |= _meant(extra, there)
        if len(taken) < len(there):
            kept = np.array([keys in taken for keys in there], dtype=bool)
            scores = scores[kept[number]]
        return scores, set(there), taken


def _meant(texts: Iterable[str], there: Sequence[Keys]) -> set[Keys]:
    """Find the columns that selectors mean on one dataset, which need not have them."""
    selectors = [Selector.of(text) for text in texts]
    return {keys for keys in there if any(one.fits(*keys) for one in selectors)}


def distance_name(heading: str, target: float) -> str:
    """Name the distance to a target: ``|tv-ratio-1|`` of ``tv-ratio``."""
    metric, bracket, rest = heading.partition(" [")
    return f"|{metric}-{target:g}|{bracket}{rest}"
