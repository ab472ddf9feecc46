"""Columns of names: used names, and combinations of names in rows."""

from __future__ import annotations

import pandas as pd
import pytest

from iqbench.results.names import coded, combinations_of, used_names

NAMES = ["b", "a", "b", "c"]
CATEGORIES = pd.Series(pd.Categorical(NAMES, categories=["unused", "c", "a", "b"]))


@pytest.mark.parametrize("column", [pd.Series(NAMES, dtype=object), CATEGORIES])
def test_numbers_stand_for_names_whatever_the_column_is_made_of(column: pd.Series) -> None:
    numbers, names = coded(column)
    assert [names[number] for number in numbers] == NAMES
    assert sorted(used_names(column)) == ["a", "b", "c"]


@pytest.mark.parametrize("column", [pd.Series(NAMES, dtype=object), CATEGORIES])
def test_combinations_are_numbered_as_they_are_met(column: pd.Series) -> None:
    """Labels of rows may repeat, as where frames were joined."""
    frame = pd.DataFrame({"first": column, "second": ["x", "x", "y", "x"]}).iloc[[0, 1, 2, 0, 3]]
    numbers, rows = combinations_of(frame, ["first", "second"])
    assert numbers.tolist() == [0, 1, 2, 0, 3]
    assert rows.to_numpy().tolist() == [["b", "x"], ["a", "x"], ["b", "y"], ["c", "x"]]


def test_no_rows_have_no_names() -> None:
    numbers, rows = combinations_of(pd.DataFrame({"a": [], "b": []}, dtype=object), ["a", "b"])
    assert (numbers.tolist(), list(rows), len(rows)) == ([], ["a", "b"], 0)
    assert used_names(pd.Series([], dtype="category")) == []
