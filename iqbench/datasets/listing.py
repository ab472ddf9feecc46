"""Rows that tell which datasets there are and whether their data is on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from iqbench.datasets.dataset import DatasetSpec
from iqbench.datasets.fetch import by_hand
from iqbench.datasets.layout import MissingDataError
from iqbench.datasets.verify import missing_files
from iqbench.errors import IqbenchError

__all__ = ["describe", "overview"]


def overview(specs: Iterable[DatasetSpec]) -> list[dict[str, Any]]:
    """One row a dataset.

    Returns
    -------
    list of dict
        dataset, task, scale, images (expected; those found where the block says nothing),
        protocol, data: ``"complete"``, ``"missing"`` or ``"wrong"``.
    """
    rows = []
    for spec in specs:
        row = describe(spec)
        rows.append({key: row[key] for key in _COLUMNS})
    return rows


_COLUMNS = ("dataset", "task", "scale", "images", "protocol", "data")


def describe(spec: DatasetSpec) -> dict[str, Any]:
    """All that is known of a dataset.

    Returns
    -------
    dict
        The columns of :func:`overview`, the rest of the block, ``root``, ``problem``: why data is
        missing or wrong, else None, ``missing``: the files that are not there, where the dataset
        has a list of checksums, and ``get``: how its data is to be had.
    """
    images, data, problem = spec.images, "complete", None
    try:
        images = len(spec.open().samples)
    except MissingDataError as error:
        data, problem = "missing", str(error)
    except IqbenchError as error:
        data, problem = "wrong", str(error)
    return {
        "dataset": spec.name,
        "task": spec.task,
        "scale": spec.scale,
        "images": images,
        "protocol": spec.protocol,
        "data": data,
        "problem": problem,
        "missing": [] if data == "complete" else missing_files(spec),
        "metrics": spec.metrics,
        "output_name": spec.output_name,
        "layout": spec.data.model_dump(exclude_none=True),
        "checksums": spec.checksums,
        "get": _how(spec),
        "root": None if spec.root is None else str(spec.root),
        "home": spec.home,
        "licence": spec.licence,
        "citation": spec.citation,
    }


def _how(spec: DatasetSpec) -> str:
    if spec.fetch:
        return f"iqbench datasets fetch {spec.name}"
    return by_hand(spec) if spec.data.places() else ""
