"""Write the runtimes of methods that are functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from iqbench.engine.computed import ComputedSource
from iqbench.engine.origins import origins_of
from iqbench.engine.plan import DatasetPlan, RunPlan
from iqbench.results.schema import ColumnInfo, Manifest, ScoreRow, pair_digest
from iqbench.results.signature import signature
from iqbench.results.store import Store

__all__ = ["RUNTIME", "write_runtimes"]

RUNTIME = "runtime"
"""The column with the seconds that a method took for an image."""

_INFO = ColumnInfo(
    "lower",
    decimals=4,
    summary="Seconds that the method took for the image",
    role="cost",
    definition="Wall-clock time of one call of the method's function, on the machine that scored "
    "it, with the input in memory. Work that a GPU still does is waited for. The first call may "
    "take longer than others.",
)


def write_runtimes(
    plan: RunPlan, store: Store, manifest: Manifest, inputs: Mapping[str, str]
) -> None:
    """Write the seconds that computed outputs took, beside their scores.

    Parameters
    ----------
    plan
        What was scored.
    store
        Where the scores are.
    manifest
        What the run was made with.
    inputs
        By dataset, what the methods were given; it is part of the signature.
    """
    origins = origins_of(plan, store.place)
    with store.writer(manifest, {RUNTIME: _INFO}, origins=origins) as writer:
        for item in plan.datasets:
            fields = {"metric": RUNTIME, "version": "1", "input": inputs[item.dataset.name]}
            text = signature({**fields, "device": manifest.device})
            for method in item.assignments:
                writer.add_scores(_rows(item, method, store, text))


def _rows(item: DatasetPlan, method: str, store: Store, text: str) -> Iterator[ScoreRow]:
    """Make the rows of the images that were computed and are in the tables."""
    name = item.dataset.name
    images = store.current(name, method).images
    for image, output in item.assignments[method].outputs.items():
        source, known = output.source, images.get(image)
        if isinstance(source, ComputedSource) and source.seconds is not None and known is not None:
            yield ScoreRow(
                dataset=name,
                method=method,
                image=image,
                metric=RUNTIME,
                value=source.seconds,
                error=None,
                signature=text,
                protocol=item.protocol.spec,
                pair=pair_digest(known.reference_digest, known.output_digest),
            )
