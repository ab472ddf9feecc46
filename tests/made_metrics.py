"""Metrics that need no reference and no weights."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from iqbench.metrics._base import Column, Maps, Metric, Needs, Tap
from iqbench.protocols.presets import Role

__all__ = ["LEVELS"]


class Mean(Metric):
    """The mean of an output's samples: a metric that needs no reference and no weights."""

    name: ClassVar[str] = "mean-level"
    summary: ClassVar[str] = "Mean sample"
    citation: ClassVar[str] = "none"
    needs: ClassVar[Needs] = "output"
    role: ClassVar[Role] = "naturalness"

    def columns(self) -> tuple[Column, ...]:
        return (Column("mean-level", "none", self.summary, (Tap(),)),)

    def maps(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        assert not reference
        return {"mean": output}

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        return means["mean"]


class Other(Mean):
    """The same under another name, which a protocol may give another view."""

    name: ClassVar[str] = "other-level"

    def columns(self) -> tuple[Column, ...]:
        return (Column("other-level", "none", self.summary, (Tap(),)),)


LEVELS = {"mean-level": Mean, "other-level": Other}
