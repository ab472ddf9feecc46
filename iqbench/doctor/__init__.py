"""Checks that an installation gives the right values, for ``iqbench doctor``."""

from __future__ import annotations

from iqbench.doctor.checkup import doctor
from iqbench.doctor.finding import Verdict, verdict

__all__ = ["Verdict", "doctor", "verdict"]
