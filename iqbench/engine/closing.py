"""Compute values of sets again from stored features, without images and networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from iqbench.engine.kept_features import FeatureKeeper, Keeper, MomentKeeper, NoFiles
from iqbench.engine.set_columns import SetColumn, distance_of
from iqbench.errors import IqbenchError
from iqbench.metrics._registry import resolve_metrics
from iqbench.metrics._sets import SetMetric
from iqbench.protocols.view import View
from iqbench.results.current import Stored, current_images, groups
from iqbench.results.extractor_files import FeatureKey
from iqbench.results.moments import ImageSet, SetName
from iqbench.results.parts import last_rows, merge
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
    closer = _Closer(root)
    problems = [why for group in groups(root) for why in closer.close(group)]
    closer.tidy()
    return problems


class _Closer:
    """Closes sets of one results folder, and reads what is stored of each extractor once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._keepers: dict[str, tuple[FeatureKeeper, MomentKeeper]] = {}

    def close(self, group: Stored) -> list[str]:
        """Close the stale sets of a dataset and method; return why some could not be closed."""
        footer = group.sets.footer()
        if footer is None:
            return []
        images = current_images(group.images)
        digests = {alone: members_digest(images, outputs_alone=alone) for alone in (False, True)}
        shared = bool(footer.origin.outputs) and footer.origin.outputs == footer.origin.references
        rows, problems = [], []
        for row in last_rows(group.sets.rows(), "sets").to_pylist():
            if row["members"] not in {*digests.values(), ANY_MEMBERS, REPLACED}:
                try:
                    rows.append(self._closed(row, images, digests, shared))
                except IqbenchError as error:
                    where = f"{row['dataset']} / {row['method']}: {row['metric']}"
                    problems.append(f"{where} is stale, and could not be computed: {error}")
        if rows:
            group.sets.write(set_table(rows), replace(footer, format=FORMAT))
            merge(group.sets)
        return problems

    def tidy(self) -> None:
        """Delete moments that were merged into those of larger sets."""
        for _, moments in self._keepers.values():
            moments.tidy()

    def _stored(self, features: str) -> tuple[FeatureKeeper, MomentKeeper]:
        """Find what is stored of an extractor."""
        if features not in self._keepers:
            found = FeatureKeeper(self._root, features), MomentKeeper(self._root, features)
            self._keepers[features] = found
        return self._keepers[features]

    def _closed(
        self,
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
            raise IqbenchError(f"{row['metric']} is not a metric of sets here")
        seen = {str(key): fields[key] for key in ("view", "weights") if key in fields}
        features = signature(dict(metric.extractor.options) | seen)
        of_images, of_sets = self._stored(features)
        peaks: dict[str, list[int]] = {}
        for key in of_sets.known:
            peaks.setdefault(key.digest, []).append(key.peak)
        of_set = fields["set"]
        names = ("image", "reference_digest", "output_digest")
        members = sorted(zip(*(images.column(name).to_pylist() for name in names), strict=True))
        there = [one for one in members if one[2] in peaks]
        alone = of_set != "references"
        if alone:
            known = read_reference_set(self._root, of_set)
            if known is None:
                raise IqbenchError(
                    f"the images of the reference set {of_set} are not recorded",
                    hint="Run iqbench evaluate again with --reference-set",
                )
            references = ImageSet(SetName("", of_set), known)
        else:
            there = [one for one in there if one[1] in peaks]
            keys = [_key(one[1], peaks) for one in there]
            keys = list(dict.fromkeys(keys)) if shared else keys
            references = ImageSet(SetName(row["dataset"], ""), keys)
        outputs = ImageSet(
            SetName(row["dataset"], row["method"]), [_key(one[2], peaks) for one in there]
        )
        if not outputs.keys:
            raise IqbenchError("there are no features", hint="Run iqbench evaluate again")
        every = {*references.keys, *outputs.keys}
        keeper: Keeper = of_images if every <= of_images.known else of_sets
        closed = distance_of(
            SetColumn(row["metric"], metric, View(), features, row["signature"]),
            (len(references.keys), len(outputs.keys)),
            lambda: (keeper.read(references, NoFiles()), keeper.read(outputs, NoFiles())),
            paired=not alone,
        )
        if closed.value is None and closed.error is not None and keeper is of_sets:
            raise IqbenchError(closed.error)
        return {
            **row,
            **closed._asdict(),
            "n": len(outputs.keys),
            "expected": images.num_rows,
            "members": digests[alone],
            "reference_n": len(references.keys),
        }


def _key(digest: str, peaks: Mapping[str, Sequence[int]]) -> FeatureKey:
    """Say which features are those of a file."""
    if len(peaks[digest]) > 1:
        raise IqbenchError(
            "features of a file are stored for several sample values of white",
            hint="Run iqbench evaluate again: it knows which one applies",
        )
    return FeatureKey(digest, peaks[digest][0])
