"""What a check found."""

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
        Of the installation, e.g. ``decoder``.
    check
        What was looked at.
    status
        ``ok``; ``off``; ``not checked``, because something it needs is not there; ``info``, a fact
        that there is no right value of.
    deviation, tolerance
        From the right value, and what is allowed; None where there is none.
    unit
        Of both; empty where they have none.
    note
        The fact, or what is off and what to do.
    group
        Checks of one group are shown in one line where all is well; empty: always a line.
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
    """Judge a deviation; NaN is off.

    Parameters
    ----------
    part, check, deviation, tolerance, unit, group
        As in `Finding`.
    note, wrong
        What to say where it is within the tolerance, and where it is not.
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
    """Sum up whether anything is off, and if not, whether everything was proven.

    Parameters
    ----------
    findings
        What `iqbench.doctor.doctor` returned.

    Returns
    -------
    str
        ``off`` if one check is; ``not proven`` if something was not checked; else ``ok``.
    """
    import pandas as pd

    if isinstance(findings, pd.DataFrame):
        found = set(findings["status"])
    else:
        found = {finding.status for finding in findings}
    if OFF in found:
        return "off"
    return "not proven" if NOT_CHECKED in found else "ok"
