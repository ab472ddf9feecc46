"""Filters of rows, and the error if no row matches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from iqbench.errors import IqbenchError, unknown_name
from iqbench.results.schema import PRECISIONS
from iqbench.results.selector import Keys, Selector, refusal
from iqbench.results.signature import parse_signature

__all__ = ["Filters"]

_KEYS = ("dataset", "method", "protocol", "precision", "metric", "image")


@dataclass(frozen=True)
class Filters:
    """Wanted values by column, and the values that were met on the way.

    Parameters
    ----------
    wanted
        By column; a row passes if its value is among them, for every column. ``precision`` is a
        field of the signature, and a row without it passes: its value does not depend on it.
        ``metric`` takes selectors, see `iqbench.results.selector`.
    met
        Every value met in a wanted column, to be named where a wanted one is not among them.
    columns
        Every column of values that was met, likewise, where metrics are wanted.
    """

    wanted: Mapping[str, tuple[str, ...]]
    met: dict[str, set[str]] = field(default_factory=dict)
    columns: set[Keys] = field(default_factory=set)

    @classmethod
    def of(cls, filters: Mapping[str, str | Sequence[str]] | None) -> Filters:
        """Read the argument of a reader: one value or several for each column."""
        wanted: dict[str, tuple[str, ...]] = {}
        for key, values in (filters or {}).items():
            if key not in _KEYS:
                raise unknown_name("filter", key, _KEYS)
            several = (values,) if isinstance(values, str) else tuple(values)
            if several:
                wanted[key] = several
        return cls(wanted)

    def admit(self, key: str, value: str) -> bool:
        """Say whether one value of a column is wanted."""
        if key not in self.wanted:
            return True
        self.met.setdefault(key, set()).add(value)
        return value in self.wanted[key]

    def select(self, table: pa.Table) -> pa.Table:
        """Keep the wanted rows of scores of one dataset and method."""
        keys = [key for key in ("protocol", "metric", "image", "precision") if key in self.wanted]
        if not keys or table.num_rows == 0:
            return table
        # Each column is judged on all rows, so that every value there is counts as met.
        masks = [
            self._column_mask(table) if key == "metric" else self._mask(key, table) for key in keys
        ]
        return table.filter(reduce(pc.and_, masks)).combine_chunks()

    def _mask(self, key: str, table: pa.Table) -> pa.Array:
        column = table.column("signature" if key == "precision" else key)
        # Judged once for each name in use, then spread over the rows.
        used = pc.unique(column.chunk(0).indices).to_pylist()
        names = column.chunk(0).dictionary
        wanted = [index for index in used if self._admits(key, names[index].as_py())]
        return pc.is_in(column.chunk(0).indices, value_set=pa.array(wanted, pa.int32()))

    def _column_mask(self, table: pa.Table) -> pa.Array:
        """Judge each column of values once; there are few in the rows of a dataset and method."""
        metrics, signatures = (table.column(name).chunk(0) for name in ("metric", "signature"))
        # In 64 bits, so that one number stands for both.
        count = max(len(signatures.dictionary), 1)
        both = pc.add(
            pc.multiply(metrics.indices.cast(pa.int64()), count),
            signatures.indices.cast(pa.int64()),
        )
        used = {
            number: (
                metrics.dictionary[number // count].as_py(),
                signatures.dictionary[number % count].as_py(),
            )
            for number in pc.unique(both).to_pylist()
        }
        self.columns.update(used.values())
        selectors = [Selector.of(text) for text in self.wanted["metric"]]
        wanted = [
            number for number, keys in used.items() if any(one.fits(*keys) for one in selectors)
        ]
        return pc.is_in(both, value_set=pa.array(wanted, pa.int64()))

    def _admits(self, key: str, name: str) -> bool:
        if key != "precision":
            return self.admit(key, name)
        with suppress(ValueError):
            precision = parse_signature(name).get("precision")
            return precision is None or self.admit(key, precision)
        return False

    def refuse_unknown(self) -> None:
        """Raise for the first wanted value that no row had.

        Raises
        ------
        IqbenchError
            Naming the nearest value there is.
        """
        for key, values in self.wanted.items():
            for value in values:
                if key == "metric":
                    selector = Selector.of(value)
                    if self.columns and not any(selector.fits(*keys) for keys in self.columns):
                        raise refusal(selector, self.columns)
                else:
                    # No column may depend on the precision: then none was met.
                    known = self.met.get(key) or (PRECISIONS if key == "precision" else ())
                    if known and value not in known:
                        raise unknown_name(key, value, known)

    def refuse_none(self) -> None:
        """Raise because no row passed, though each value alone is known.

        Raises
        ------
        IqbenchError
            Naming everything that was asked for.
        """
        asked = " and ".join(
            f"{key} {_either(values)}" for key, values in sorted(self.wanted.items())
        )
        raise IqbenchError(f"no score has {asked}", hint="Use fewer filters at once")


def _either(values: Iterable[str]) -> str:
    return " or ".join(repr(value) for value in values)
