"""Describe the changes of a leaderboard from one version to the next in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO

import numpy as np
import pandas as pd

from iqbench.boards.headings import metric_columns
from iqbench.document.records import for_spreadsheet, render_csv

__all__ = ["changes_between", "kept_table", "read_kept"]

_EQUAL = 1e-9
"""Values closer than this, relatively, are sums of the same in another order."""
_NAMED = 8
_KEYS = ["dataset", "method"]


def kept_table(frame: pd.DataFrame) -> bytes:
    """Write a leaderboard as CSV to be kept; `read_kept` reads it."""
    return render_csv(for_spreadsheet(frame)).encode()


def read_kept(content: bytes) -> pd.DataFrame:
    """Read a leaderboard that was kept.

    Raises
    ------
    ValueError
        Where it is none.
    """
    frame = pd.read_csv(
        StringIO(content.decode()),
        dtype=dict.fromkeys(_KEYS, str),
        keep_default_na=False,
        na_values=[""],
    )
    missing = [key for key in _KEYS if key not in frame]
    if missing:
        raise ValueError(f"it has no column {missing[0]!r}")
    for key in _KEYS:
        # `for_spreadsheet` puts an apostrophe before what a spreadsheet would take for a formula.
        frame[key] = frame[key].fillna("").map(lambda text: text.removeprefix("'"))
    return frame


def changes_between(
    before: pd.DataFrame,
    now: pd.DataFrame,
    facts_before: Mapping[str, Mapping[str, str]],
    facts: Mapping[str, Mapping[str, str]],
) -> list[str]:
    """Say what has changed.

    Parameters
    ----------
    before, now
        Leaderboards of the two versions, one row per dataset and method.
    facts_before, facts
        By method, what ``methods.yaml`` said and says.

    Returns
    -------
    list of str
        A sentence each; none where nothing has changed.
    """
    old, new = (
        {str(name): rows.set_index("method") for name, rows in frame.groupby("dataset", sort=False)}
        for frame in (before, now)
    )
    metrics = [metric_columns(frame) for frame in (before, now)]
    found = [f"new dataset {name}" for name in new if name not in old]
    found += [f"dataset {name} is gone" for name in old if name not in new]
    found += [f"new column {name}" for name in metrics[1] if name not in metrics[0]]
    found += [f"column {name} is gone" for name in metrics[0] if name not in metrics[1]]
    common = [name for name in metrics[0] if name in metrics[1]]
    kinds: dict[tuple[str, str], list[str]] = {}
    for dataset in (name for name in new if name in old):
        for method, what in _of_dataset(old[dataset], new[dataset], common):
            kinds.setdefault((method, what), []).append(dataset)
    found += [f"{method} {what} {_named(names)}" for (method, what), names in kinds.items()]
    both = set(before["method"]) & set(now["method"])
    other = sorted(name for name in both if facts_before.get(name) != facts.get(name))
    return [*found, *([f"date or links of {_named(other)} changed"] if other else [])]


def _of_dataset(old: pd.DataFrame, new: pd.DataFrame, metrics: list[str]) -> list[tuple[str, str]]:
    found = [(str(name), "is new on") for name in new.index if name not in old.index]
    found += [(str(name), "is gone from") for name in old.index if name not in new.index]
    both = [name for name in new.index if name in old.index]
    sides = [
        frame.loc[both, [name for name in metrics if name in frame]].apply(pd.to_numeric)
        for frame in (old, new)
    ]
    one, other = (side.to_numpy(np.float64) for side in sides)
    same = np.isclose(one, other, rtol=_EQUAL, atol=0, equal_nan=True).all(axis=1)
    return found + [(str(name), "has other values on") for name in np.array(both)[~same]]


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
