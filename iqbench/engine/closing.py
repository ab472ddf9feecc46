"""Close the values of sets anew from stored features, without images and networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from iqbench.engine.sets import SetColumn, distance_of
from iqbench.errors import IqbenchError
from iqbench.metrics._registry import resolve_metrics
from iqbench.metrics._sets import SetMetric
from iqbench.protocols.view import View
from iqbench.results.current import Stored, current_images, groups
from iqbench.results.features import FeatureKey, FeatureTable
from iqbench.results.parts import last_rows, merge, read_parts, write
from iqbench.results.schema import ANY_MEMBERS, FORMAT, REPLACED
from iqbench.results.sets import members_digest, read_reference_set, set_table
from iqbench.results.signature import parse_signature, signature

__all__ = ["close_stored_sets"]


def close_stored_sets(root: Path) -> list[str]:
    """Compute again the values of sets whose images are others than when they were computed.

    Parameters
    ----------
    root
        A results folder.

    Returns
    -------
    list of str
        Why some could not be computed: these stay stale.
    """
    return [why for group in groups(root) for why in _close(root, group)]


def _close(root: Path, group: Stored) -> list[str]:
    table, footer = read_parts(group.sets, "sets")
    if footer is None:
        return []
    images = current_images(group.images)
    digests = {alone: members_digest(images, outputs_alone=alone) for alone in (False, True)}
    shared = bool(footer.origin.outputs) and footer.origin.outputs == footer.origin.references
    rows, problems = [], []
    for row in last_rows(table, "sets").to_pylist():
        if row["members"] not in {*digests.values(), ANY_MEMBERS, REPLACED}:
            try:
                rows.append(_closed(root, row, images, digests, shared))
            except IqbenchError as error:
                where = f"{row['dataset']} / {row['method']}: {row['metric']}"
                problems.append(f"{where} is stale, and could not be computed: {error}")
    if rows:
        write(group.sets, set_table(rows), replace(footer, format=FORMAT))
        merge(group.sets, "sets")
    return problems


def _closed(
    root: Path,
    row: Mapping[str, Any],
    images: pa.Table,
    digests: Mapping[bool, str],
    shared: bool,
) -> dict[str, Any]:
    """Compute one value of the images as they are now."""
    fields = parse_signature(row["signature"])
    (request,) = resolve_metrics([row["metric"]])
    metric = request.metric
    if not isinstance(metric, SetMetric):
        raise IqbenchError(f"{row['metric']} is no metric of sets here")
    seen = {str(key): fields[key] for key in ("view", "weights") if key in fields}
    features = signature(dict(metric.extractor.options) | seen)
    table = FeatureTable(root, features)
    peaks: dict[str, list[int]] = {}
    stored = table.keys()
    for key in stored:
        peaks.setdefault(key.digest, []).append(key.peak)
    of_set = fields["set"]
    names = ("image", "reference_digest", "output_digest")
    members = sorted(zip(*(images.column(name).to_pylist() for name in names), strict=True))
    there = [one for one in members if one[2] in peaks]
    outputs = [_key(one[2], peaks) for one in there]
    if of_set == "references":
        there = [one for one in there if one[1] in peaks]
        outputs = [_key(one[2], peaks) for one in there]
        references: Sequence[FeatureKey] = [_key(one[1], peaks) for one in there]
        references = list(dict.fromkeys(references)) if shared else references
    else:
        known = read_reference_set(root, of_set)
        if known is None:
            raise IqbenchError(
                f"which images the reference set {of_set} has is not noted",
                hint="Run iqbench evaluate again with --reference-set",
            )
        references = known
    if not outputs:
        raise IqbenchError("there are no features", hint="Run iqbench evaluate again")
    column = SetColumn(row["metric"], metric, View(), features, row["signature"])
    alone = of_set != "references"
    closed = distance_of(column, references, outputs, table.select, paired=not alone)
    return {
        **row,
        **closed._asdict(),
        "n": len(outputs),
        "expected": images.num_rows,
        "members": digests[alone],
        "reference_n": len(references),
    }


def _key(digest: str, peaks: Mapping[str, Sequence[int]]) -> FeatureKey:
    """Say which features are those of a file."""
    if len(peaks[digest]) > 1:
        raise IqbenchError(
            "the features of a file are there for several sample values of white",
            hint="Run iqbench evaluate again: it knows which is meant",
        )
    return FeatureKey(digest, peaks[digest][0])
