"""iqbench as its users run it: the default metrics, folders in, tables out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from workloads import Job

from iqbench.api import Evaluation, run_evaluation

__all__ = ["evaluate"]


class Listener:
    """Passes on how many outputs are scored."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self.advance = advance

    def begin(self, what: str, total: int) -> None:
        """Nothing to do when a dataset begins."""


def evaluate(
    images: Path, jobs: Sequence[Job], table: Path, advance: Callable[[int], None]
) -> None:
    """Score a folder of references and its methods; `table` is the results folder."""
    evaluation = Evaluation(
        methods_in=images / "methods",
        reference=images / "reference",
        results=table,
        device=os.environ.get("BENCH_DEVICE", "cpu"),
        precision=os.environ.get("BENCH_PRECISION", "exact"),
    )
    summary = run_evaluation(evaluation, Listener(advance), own_process=True)
    assert not summary.failures, summary.failures
