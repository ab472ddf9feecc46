"""Check the values of golden pairs against those of independent implementations."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from iqbench.columns import Tolerance
from iqbench.doctor.finding import NOT_CHECKED, OFF, Finding, compared
from iqbench.doctor.golden import FOLDER, GoldenValues, load_golden
from iqbench.engine.compute import Compute
from iqbench.engine.grouping import Outcome
from iqbench.engine.pairs import PairScorer
from iqbench.engine.resources import Resources, load_resources, networks_of
from iqbench.images.source import FileSource
from iqbench.metrics._registry import Request, resolve_metrics
from iqbench.protocols.presets import resolve_protocol

__all__ = ["Bench", "check_bands", "check_scores", "check_tables"]

# A budget that gives three bands for the golden pair, with all kinds of borders.
FEW_BYTES = 2**23
OTHER_TOLERANCE = Tolerance(1e-5, relative=True, unit="relative", reason="float32 arithmetic")
"""The tolerance of columns that state none."""


@dataclass(frozen=True)
class Bench:
    """The device and the networks for scoring golden pairs.

    Attributes
    ----------
    compute
        The device.
    missing
        By name of a network, or column of LPIPS, why it cannot be used.
    resources
        The networks of all columns that can be scored, loaded once.
    """

    compute: Compute
    missing: Mapping[str, str]
    resources: Resources
    _scored: dict[tuple[str, str], dict[str, Outcome | str]] = field(default_factory=dict)

    @classmethod
    def set_up(cls, compute: Compute, missing: Mapping[str, str], folder: Path | None) -> Bench:
        """Load the available networks, without downloading missing ones."""
        columns = {column for item in load_golden().values for column in item.columns}
        usable = [item for item in resolve_metrics(sorted(columns)) if not _lack(item, missing)]
        return cls(compute, missing, load_resources(usable, compute, folder=folder))

    def whole(self, recorded: GoldenValues) -> dict[str, Outcome | str]:
        """Score a pair once with the default memory; see `score`."""
        key = recorded.pair, recorded.protocol
        if key not in self._scored:
            self._scored[key] = self.score(recorded)
        return self._scored[key]

    def score(self, recorded: GoldenValues, memory: int | None = None) -> dict[str, Outcome | str]:
        """Score a pair as ``iqbench measure`` does.

        Parameters
        ----------
        recorded
            The pair, the protocol and the columns.
        memory
            The budget for bands in bytes; None for the default one.

        Returns
        -------
        dict
            By column, its outcome, or a text about what is missing.
        """
        requests = resolve_metrics(recorded.columns)
        lacks = {item.column.name: _lack(item, self.missing) for item in requests}
        usable = [item for item in requests if not lacks[item.column.name]]
        protocol = resolve_protocol(recorded.protocol)
        compute = self.compute if memory is None else replace(self.compute, memory=memory)
        scorer = PairScorer(usable, protocol, compute, resources=self.resources)
        name = f"{recorded.pair}.png"
        pair = scorer.read(
            FileSource(FOLDER / "reference" / name), FileSource(FOLDER / "output" / name)
        )
        (found,) = scorer.score([pair])
        return {name: lack or found[name] for name, lack in lacks.items()}


def _lack(request: Request, missing: Mapping[str, str]) -> str:
    """Describe what is missing for a column; empty if nothing."""
    needs = [*networks_of([request]), request.column.name]
    return next((f"weights of {name}: {missing[name]}" for name in needs if name in missing), "")


def check_scores(bench: Bench) -> Iterator[Finding]:
    """Compare every recorded value with that of the engine."""
    for recorded in load_golden().values:
        found = bench.whole(recorded)
        for column, right in recorded.columns.items():
            check = f"{column} of {recorded.pair} under {recorded.protocol}"
            source = recorded.by[column]
            source += f" {load_golden().recorded_with[source]}"
            yield _judge("scores", check, found[column], column=column, right=right, source=source)


def check_bands(bench: Bench) -> Iterator[Finding]:
    """Score one pair in one piece and in bands of rows, and check that the values are equal."""
    recorded = load_golden().values[0]
    whole, banded = bench.whole(recorded), bench.score(recorded, FEW_BYTES)
    for column in recorded.columns:
        expected = whole[column]
        right = expected.value if isinstance(expected, Outcome) else None
        finding = _judge(
            "bands",
            f"{column} of {recorded.pair} in bands",
            banded[column],
            column=column,
            right=math.nan if right is None else right,
            source="the image in one piece",
        )
        yield replace(finding, group="one pair in bands of rows")


def _judge(
    part: str, check: str, found: Outcome | str, *, column: str, right: float, source: str
) -> Finding:
    """Compare one value with the right one."""
    request = next(item for item in resolve_metrics([column]) if item.column.name == column)
    several = len(type(request.metric)().columns()) > 1  # columns of one metric share a line
    group = request.metric.name if several else column
    if isinstance(found, str):
        return Finding(part, check, NOT_CHECKED, note=found, group=group)
    if found.value is None:
        return Finding(part, check, OFF, note=found.error or "no value", group=group)
    tolerance = request.column.tolerance or OTHER_TOLERANCE
    note = f"{found.value:.8g}; by {source} {right:.8g}"
    return compared(
        part,
        check,
        deviation=tolerance.deviation(found.value, right),
        tolerance=tolerance.limit,
        unit=tolerance.unit,
        note=note,
        wrong=f"{note}. Values of {group} cannot be trusted here",
        group=group,
    )


def check_tables(compute: Compute) -> Iterator[Finding]:
    """Evaluate the golden pairs into a temporary results folder, and read the values back."""
    from iqbench.api import evaluate

    columns = ("psnr", "ssim", "tv-ratio")
    with tempfile.TemporaryDirectory(prefix="iqbench-doctor-") as folder:
        scores = evaluate(
            methods=[f"golden={FOLDER / 'output'}"],
            reference=FOLDER / "reference",
            metrics=columns,
            results=Path(folder) / "results",
            device=str(compute.device),
        )
    values = scores.set_index(["image", "metric"])["value"]
    for recorded in load_golden().values:
        if recorded.protocol != "rgb":
            continue
        for column in columns:
            value = values.get((recorded.pair, column))
            finding = _judge(
                "tables",
                f"{column} of {recorded.pair} read back",
                Outcome(value, "its row is missing" if value is None else None),
                column=column,
                right=recorded.columns[column],
                source="the recorder",
            )
            yield replace(finding, group="scores written as Parquet and read back")
