"""Trials to a page of Markdown: rates, ratios with their spread, the floor, agreement of values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from statistics import mean, median
from typing import Any

import pandas as pd
from floor import gigaflops
from workloads import Workload

__all__ = ["Trial", "render"]

TOLERANCE = 1e-4


@dataclass(frozen=True)
class Trial:
    """One run of one tool.

    Attributes
    ----------
    first
        Seconds from the start of the process to the first scores.
    total
        Seconds from the start of the process to the finished table.
    rate
        Outputs a second after the first scores.
    cpu
        Seconds of the processor an output after the first scores.
    peak
        Largest resident memory, MiB.
    values
        One row per output, one column per metric.
    """

    first: float
    total: float
    rate: float
    cpu: float
    peak: float
    values: pd.DataFrame

    @classmethod
    def of(cls, report: Mapping[str, Any], values: pd.DataFrame) -> Trial:
        """Take what ``run_tool.py`` reports."""
        first, end = report["first"], report["end"]
        outputs = end["outputs"] - first["outputs"]
        if outputs < 1:
            raise SystemExit("error: at least two pairs are needed; give --pairs 2 or more")
        return cls(
            first=first["seconds"],
            total=end["seconds"],
            rate=outputs / (end["seconds"] - first["seconds"]),
            cpu=(end["cpu"] - first["cpu"]) / outputs,
            peak=report["peak_mib"],
            values=values,
        )


MEASURES: dict[str, tuple[str, Callable[[Trial], float]]] = {
    "pairs/s": ("{:.3f}", lambda trial: trial.rate),
    "CPU s a pair": ("{:.2f}", lambda trial: trial.cpu),
    "first score, s": ("{:.1f}", lambda trial: trial.first),
    "whole run, s": ("{:.1f}", lambda trial: trial.total),
    "peak memory, MiB": ("{:.0f}", lambda trial: trial.peak),
}


def render(
    workload: Workload,
    methods: int,
    trials: Mapping[str, Sequence[Trial]],
    rates: Sequence[Mapping[str, float]],
    *,
    ours: str,
) -> str:
    """Write the section of one workload."""
    rounds = len(rates)
    parts = [
        f"## {workload}, {methods} method{'s' if methods > 1 else ''}",
        f"Each cell: minimum / median / maximum of {rounds} round{'s' if rounds > 1 else ''}.",
        _measured(trials),
        "iqbench over each peer, within a round:",
        _ratios(trials, ours),
        _floor(workload, methods, trials[ours], rates),
        "Largest relative difference of a peer's values from iqbench's:",
        _agreement(workload, trials, ours),
    ]
    return "\n\n".join(parts)


def _measured(trials: Mapping[str, Sequence[Trial]]) -> str:
    rows = [
        [tool, *(_spread(form, map(get, runs)) for form, get in MEASURES.values())]
        for tool, runs in trials.items()
    ]
    return _table(["tool", *MEASURES], rows)


def _ratios(trials: Mapping[str, Sequence[Trial]], ours: str) -> str:
    rows = []
    for tool, runs in trials.items():
        if tool != ours:
            cells = [
                _spread(
                    "{:.2f}", (get(a) / get(b) for a, b in zip(trials[ours], runs, strict=True))
                )
                for _, get in MEASURES.values()
            ]
            rows.append([tool, *cells])
    return _table(["against", *MEASURES], rows)


def _floor(
    workload: Workload,
    methods: int,
    runs: Sequence[Trial],
    rates: Sequence[Mapping[str, float]],
) -> str:
    """Say how near iqbench comes to what the machine can multiply and add."""
    gemm, pointwise = (max(rate[kind] for rate in rates) for kind in ("gemm", "pointwise"))
    work = mean(gigaflops(*workload.size(k), methods) for k in range(workload.pairs))
    fastest = max(trial.rate for trial in runs)
    reached = work * fastest / max(gemm, pointwise)
    return (
        f"Floor: {work:.0f} GFLOP of convolutions an output. This machine does "
        f"{gemm:.0f} GFLOP/s in its fastest matrix product and {pointwise:.0f} in its fastest 1x1 "
        f"convolution: {work / max(gemm, pointwise):.2f} s an output. iqbench took "
        f"{1 / fastest:.2f} s, {reached:.0%} of that speed (best rounds of both)."
    )


def _agreement(workload: Workload, trials: Mapping[str, Sequence[Trial]], ours: str) -> str:
    known = trials[ours][0].values
    rows = []
    for tool, runs in trials.items():
        if tool == ours:
            continue
        for column, values in runs[0].values.items():
            name, scale, note = _variant(str(column), workload)
            difference = ((values / scale - known[name]) / known[name]).abs().max()
            if not note:
                note = "agrees" if difference <= TOLERANCE else f"**above {TOLERANCE:g}**"
            rows.append([tool, str(column), f"{difference:.1e}", note])
    return _table(["peer", "column", "difference", ""], rows)


def _variant(column: str, workload: Workload) -> tuple[str, float, str]:
    """Return iqbench's column, what a peer's value is divided by, and why they may differ."""
    if column != "tv":
        return column, 1.0, ""
    note = "another variant: the peers sum |dx| + |dy|, iqbench has the mean of each on its grid"
    return "tv-aniso-output", 3.0 * prod(workload.whole), note


def _spread(form: str, values: Any) -> str:
    found = list(values)
    return " / ".join(form.format(of(found)) for of in (min, median, max))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
