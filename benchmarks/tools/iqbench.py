"""iqbench as its users run it: the default metrics, folders in, tables out.

``BENCH_METRICS`` names other metrics, separated by spaces.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from inspect import signature
from pathlib import Path
from typing import Any
from unittest import mock

from workloads import Job

from iqbench.api import Evaluation, run_evaluation
from iqbench.images import source

__all__ = ["decoded", "evaluate"]

decoded: list[str] = []
"""The files that were decoded."""


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
        metrics=os.environ.get("BENCH_METRICS", "").split(),
        device=os.environ.get("BENCH_DEVICE", "cpu"),
        precision=os.environ.get("BENCH_PRECISION", "exact"),
    )
    # A release before `own_process` set malloc up in every process.
    options = {"own_process": True} if "own_process" in signature(run_evaluation).parameters else {}
    with mock.patch.object(source, "decode", _counting(source.decode)):
        summary = run_evaluation(evaluation, Listener(advance), **options)
    assert not summary.failures, summary.failures


def _counting(decode: Callable[..., Any]) -> Callable[..., Any]:
    """Note each file that is decoded."""

    def count(content: Any, **options: Any) -> Any:
        decoded.append(str(content.name))
        return decode(content, **options)

    return count
