"""Before anything is computed: what is to be scored, by what, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from iqbench.datasets.bitstreams import bitstream_sizes
from iqbench.datasets.dataset import Dataset
from iqbench.datasets.matching import Matches, match_outputs
from iqbench.datasets.methods import Method
from iqbench.engine.compute import Compute
from iqbench.engine.reading import Job
from iqbench.engine.resources import Resources, load_resources
from iqbench.engine.signatures import signatures_of
from iqbench.errors import IqbenchError
from iqbench.images.source import Alpha
from iqbench.metrics._registry import DEFAULT_METRICS, Request, resolve_metrics
from iqbench.protocols.presets import Protocol, resolve_protocol
from iqbench.results.schema import ColumnInfo

__all__ = ["DatasetPlan", "RunPlan", "plan_run"]


@dataclass(frozen=True)
class DatasetPlan:
    """What is to be done for one dataset.

    Attributes
    ----------
    dataset
        References.
    protocol
        By which it is scored.
    requests
        The columns.
    matches
        Method to its outputs, of the methods that attempted the dataset.
    bitstreams
        Method to the sizes of its bitstreams by image, where some metric reads them.
    """

    dataset: Dataset
    protocol: Protocol
    requests: tuple[Request, ...]
    matches: Mapping[str, Matches]
    bitstreams: Mapping[str, Mapping[str, int]]

    @property
    def jobs(self) -> list[Job]:
        """One a reference that some method has an output for."""
        jobs = []
        for sample in self.dataset.samples:
            outputs = {
                method: matches.outputs[sample.image]
                for method, matches in self.matches.items()
                if sample.image in matches.outputs
            }
            if outputs:
                jobs.append(Job(sample, outputs))
        return jobs

    @property
    def size(self) -> int:
        """How many outputs there are."""
        return sum(len(matches.outputs) for matches in self.matches.values())

    def signatures(self, resources: Resources, compute: Compute, alpha: Alpha) -> dict[str, str]:
        """Return the signature of every column."""
        return signatures_of(
            self.requests, self.protocol, resources.digests, compute.precision, alpha
        )


@dataclass(frozen=True)
class RunPlan:
    """What a run is to do.

    Attributes
    ----------
    datasets
        One plan a dataset that some method attempted.
    warnings
        What the user should know: extra files, datasets that were not attempted.
    """

    datasets: tuple[DatasetPlan, ...]
    warnings: list[str] = field(default_factory=list)

    @property
    def columns(self) -> dict[str, ColumnInfo]:
        """How tables show the columns of the run."""
        return {
            request.column.name: ColumnInfo(
                direction=request.column.direction,
                decimals=request.column.decimals,
                headline=request.column.headline,
                summary=request.column.summary,
            )
            for plan in self.datasets
            for request in plan.requests
        }

    @property
    def tasks(self) -> dict[str, str]:
        """Dataset to what its methods restore; empty where its block says nothing."""
        return {plan.dataset.name: plan.dataset.spec.task for plan in self.datasets}

    def resources(self, compute: Compute, folder: Path | None = None) -> Resources:
        """Load the networks and parameters that the run needs."""
        return load_resources(
            [request for plan in self.datasets for request in plan.requests],
            compute,
            folder=folder,
        )


def plan_run(
    datasets: Sequence[Dataset],
    methods: Sequence[Method],
    *,
    metrics: Sequence[str] = (),
    protocol: str | None = None,
    output_name: str | None = None,
) -> RunPlan:
    """Match methods with datasets and resolve what is to be computed; no image is opened.

    Parameters
    ----------
    datasets, methods
        Every method is looked for in every dataset.
    metrics
        Specs or column names; by default the dataset's own, the protocol's, or the default ones.
    protocol
        Spec of a protocol; by default the dataset's own.
    output_name
        Template of the outputs' names; by default the dataset's own.

    Returns
    -------
    RunPlan
        With at least one dataset.

    Raises
    ------
    IqbenchError
        On unknown metrics or protocols, or if no method attempted any dataset.
    """
    plans: list[DatasetPlan] = []
    warnings: list[str] = []
    skipped: list[str] = []
    for dataset in datasets:
        if dataset.ignored:
            warnings.append(
                f"dataset {dataset.name!r}: {_some(dataset.ignored)} beside the references are no "
                "images and were left out"
            )
        matches: dict[str, Matches] = {}
        for method in methods:
            found = match_outputs(
                method, dataset, alone=len(datasets) == 1, output_name=output_name
            )
            if not found.attempted:
                skipped.append(found.message)
                continue
            matches[method.name] = found
            if found.extra:
                warnings.append(
                    f"method {method.name!r}: {_some(found.extra)} in {found.folder} belong to no "
                    f"image of {dataset.name!r} and were left out"
                )
            if found.hint:
                warnings.append(
                    f"method {method.name!r} has no output for any image of {dataset.name!r}. "
                    f"{found.hint}"
                )
        if matches:
            chosen = resolve_protocol(protocol or dataset.spec.protocol)
            specs = metrics or dataset.spec.metrics or chosen.metrics or DEFAULT_METRICS
            requests = resolve_metrics(specs, chosen.variants)
            bitstreams: dict[str, dict[str, int]] = {}
            if any(request.metric.reads_bitstream for request in requests):
                bitstreams = {
                    name: bitstream_sizes(found.folder) for name, found in matches.items()
                }
            plans.append(DatasetPlan(dataset, chosen, requests, matches, bitstreams))
    if not plans:
        raise IqbenchError(
            "; ".join(skipped) or "there is no dataset to score",
            hint="Outputs lie in METHOD/DATASET/ or, with one dataset, in METHOD/",
        )
    return RunPlan(tuple(plans), warnings + skipped)


def _some(names: Sequence[str]) -> str:
    """Name a few of many."""
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
