"""Proof that an installation gives the right numbers: what ``iqbench doctor`` runs."""

from __future__ import annotations

from iqbench.doctor.checkup import doctor
from iqbench.doctor.finding import Verdict, verdict

__all__ = ["Verdict", "doctor", "verdict"]
