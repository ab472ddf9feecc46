"""Make standard inputs from references by degradation."""

from __future__ import annotations

from iqbench.degradation.files import Done, degrade_files, seed_of
from iqbench.degradation.kinds import DEGRADATIONS, Degradation, resolve_degradation

__all__ = ["DEGRADATIONS", "Degradation", "Done", "degrade_files", "resolve_degradation", "seed_of"]
