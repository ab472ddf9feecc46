"""The interface for reporting the progress of a run."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Reporter", "SilentReporter"]


class Reporter(Protocol):
    """Is told how far a run is."""

    def begin(self, what: str, total: int) -> None:
        """Hear that a dataset begins, with so many outputs."""
        ...

    def advance(self, done: int) -> None:
        """Hear that so many more outputs are done."""
        ...


class SilentReporter:
    """Shows nothing."""

    def begin(self, what: str, total: int) -> None:
        """Say nothing."""

    def advance(self, done: int) -> None:
        """Say nothing."""
