"""The rows of an evaluator: one per image, merged over ranks and averaged over images."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from iqbench.engine.grouping import Outcome
from iqbench.errors import IqbenchError, IqbenchWarning
from iqbench.images.peaks import Peaks
from iqbench.results.schema import UNDEFINED

__all__ = ["Record", "Row"]


@dataclass(frozen=True)
class Row:
    """One image that was scored.

    Attributes
    ----------
    image
        Its id; None where the caller gave none.
    reference_digest, output_digest
        Of the pixels; None where there is no reference.
    height, width, channels, bit_depth
        Of the output; the depth is 0 where it could not be read.
    peaks
        The sample values of white of reference, output, and output alone; empty where the image
        could not be read.
    values
        One per column; None where there is none.
    errors
        One per column: why there is no value, or None.
    set_errors
        One a column of sets: why the image has no features, or None.
    """

    image: str | None
    reference_digest: str | None
    output_digest: str
    height: int
    width: int
    channels: int
    bit_depth: int = 0
    peaks: tuple[int, ...] = ()
    values: tuple[float | None, ...] = ()
    errors: tuple[str | None, ...] = ()
    set_errors: tuple[str | None, ...] = ()

    @property
    def inputs(self) -> tuple[str | None, str]:
        """What the values were computed from."""
        return self.reference_digest, self.output_digest

    @property
    def white(self) -> Peaks | None:
        """The sample values of white, if the image could be read."""
        return Peaks(*self.peaks) if self.peaks else None

    def with_outcomes(self, outcomes: Iterable[Outcome]) -> Row:
        """Return the row with a value, or its error, of each column."""
        found = tuple(outcomes)
        values = tuple(None if one.error else one.value for one in found)
        return replace(self, values=values, errors=tuple(one.error for one in found))


class Record:
    """Rows by image, in the order in which they came; an image counts once.

    Parameters
    ----------
    columns
        Names of the columns.
    rows
        What is there already.
    """

    def __init__(self, columns: Sequence[str], rows: Iterable[Row] = ()) -> None:
        self.columns = tuple(columns)
        self._rows: list[Row] = []
        self._known: dict[str, Row] = {}
        for row in rows:
            self.add(row)

    def __len__(self) -> int:
        return len(self._rows)

    def known(self, image: str, inputs: tuple[str | None, str]) -> bool:
        """Tell whether an image was scored already; warn if its pixels were others.

        Parameters
        ----------
        image
            Its id.
        inputs
            Digests of the reference and the output that come now.
        """
        first = self._known.get(image)
        if first is None:
            return False
        if first.inputs != inputs:
            warnings.warn(
                f"image {image!r} was given twice with different pixels: the first is kept",
                IqbenchWarning,
                stacklevel=4,
            )
        return True

    def add(self, row: Row) -> bool:
        """Add the row of an image, unless one of its id is there; return whether it was added."""
        if row.image is not None:
            if self.known(row.image, row.inputs):
                return False
            self._known[row.image] = row
        self._rows.append(row)
        return True

    def rows(self) -> list[Row]:
        """Return all rows, each with an id: what came without one is numbered."""
        numbers = (f"{number:06d}" for number in range(len(self._rows) + len(self._known)))
        free = (name for name in numbers if name not in self._known)
        return [
            row if row.image is not None else replace(row, image=next(free)) for row in self._rows
        ]

    @classmethod
    def united(cls, records: Iterable[Record]) -> Record:
        """Return what several ranks have together, in the order of the ranks.

        What came without an id is another image on every rank.
        """
        first, *others = records
        return cls(first.columns, (row for one in (first, *others) for row in one._rows))

    def means(self) -> dict[str, float]:
        """Return the mean of each column over the images that have a value.

        It is NaN where there is no image or one failed. The sum is exact, so it does not depend on
        the order, or on how images are spread over ranks.
        """
        return {name: self._mean(place) for place, name in enumerate(self.columns)}

    def _mean(self, place: int) -> float:
        values: list[float] = []
        for row in self._rows:
            value, error = row.values[place], row.errors[place]
            if value is not None:
                values.append(value)
            elif not (error or "").startswith(UNDEFINED):
                return math.nan
        if not values:
            return math.nan
        if any(math.isinf(value) for value in values):  # fsum refuses inf - inf
            return sum(values) / len(values)
        return math.fsum(values) / len(values)

    def state(self) -> dict[str, Any]:
        """Return plain types that `torch.save` keeps and `torch.load` reads safely."""
        names = [field.name for field in fields(Row)]
        return {
            "columns": list(self.columns),
            "rows": [[_plain(getattr(row, name)) for name in names] for row in self._rows],
        }

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Record:
        """Read back what `state` gave.

        Raises
        ------
        IqbenchError
            If it is no such state.
        """
        try:
            rows = [Row(*(_frozen(value) for value in row)) for row in state["rows"]]
            return cls(state["columns"], rows)
        except (KeyError, TypeError) as error:
            raise IqbenchError(
                "this is not a state of an Evaluator", hint="Give what its state_dict() returned"
            ) from error


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
