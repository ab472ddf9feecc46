"""The result of one check."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["INFO", "NOT_CHECKED", "OFF", "OK", "Finding", "Verdict", "compared", "verdict"]

Status = Literal["ok", "off", "not checked", "info"]
Verdict = Literal["ok", "off", "not proven"]

OK: Status = "ok"
OFF: Status = "off"
NOT_CHECKED: Status = "not checked"
INFO: Status = "info"


@dataclass(frozen=True)
class Finding:
    """One row of the table that `iqbench.doctor.doctor` returns.

    Attributes
    ----------
    part
        The part of the installation, e.g. ``decoder``.
    check
        The name of the check.
    status
        ``ok``; ``off``; ``not checked``, because something is missing; ``info``, a fact without a
        right value.
    deviation, tolerance
        The deviation from the right value, and its limit; None if there is none.
    unit
        The unit of both; may be empty.
    note
        The fact, or the fault and what to do.
    group
        Checks of one group are shown in one line if all are ok; empty for a separate line.
    """

    part: str
    check: str
    status: Status
    deviation: float | None = None
    tolerance: float | None = None
    unit: str = ""
    note: str = ""
    group: str = ""


def compared(
    part: str,
    check: str,
    *,
    deviation: float,
    tolerance: float,
    unit: str = "",
    note: str = "",
    wrong: str = "",
    group: str = "",
) -> Finding:
    """Make the finding for a deviation; NaN is off.

    Parameters
    ----------
    part, check, deviation, tolerance, unit, group
        As in `Finding`.
    note, wrong
        The note if the deviation is within the tolerance, and if it is not.
    """
    right = deviation <= tolerance
    return Finding(
        part,
        check,
        OK if right else OFF,
        deviation=deviation,
        tolerance=tolerance,
        unit=unit,
        note=note if right else wrong or note,
        group=group,
    )


def verdict(findings: pd.DataFrame | Iterable[Finding]) -> Verdict:
    """Summarise the findings.

    Parameters
    ----------
    findings
        The result of `iqbench.doctor.doctor`.

    Returns
    -------
    str
        ``off`` if any check is off; ``not proven`` if something was not checked; else ``ok``.
    """
    import pandas as pd

    if isinstance(findings, pd.DataFrame):
        found = set(findings["status"])
    else:
        found = {finding.status for finding in findings}
    if OFF in found:
        return "off"
    return "not proven" if NOT_CHECKED in found else "ok"
