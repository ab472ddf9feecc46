"""The list of datasets, and whether their data is on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from iqbench.datasets.dataset import DatasetSpec
from iqbench.datasets.fetching.fetch import by_hand
from iqbench.datasets.layout import MissingDataError
from iqbench.errors import IqbenchError, unknown_name

__all__ = ["describe", "overview"]


def overview(
    specs: Iterable[DatasetSpec], *, task: str | None = None, here: bool = False
) -> list[dict[str, Any]]:
    """One row per dataset.

    Parameters
    ----------
    specs
        The datasets.
    task
        Only those of this task, whatever its case.
    here
        Only those of which there is something on this machine, complete or not.

    Returns
    -------
    list of dict
        dataset, task, scale, images (expected; those found where the block says nothing),
        protocol, data: ``"complete"``, ``"missing"`` or ``"wrong"``.

    Raises
    ------
    IqbenchError
        If no dataset has that task.
    """
    chosen = list(specs)
    if task is not None:
        known = {spec.task for spec in chosen if spec.task}
        chosen = [spec for spec in chosen if spec.task.casefold() == task.casefold()]
        if not chosen:
            raise unknown_name("task", task, known)
    rows = [_row(spec, _look(spec)) for spec in chosen]
    return [row for row in rows if not here or row["data"] != "missing"]


@dataclass(frozen=True)
class _Found:
    """How many images were found or are expected; what state the data is in, and why."""

    images: int | None
    data: str
    problem: str | None = None


def _look(spec: DatasetSpec) -> _Found:
    try:
        return _Found(len(spec.open().samples), "complete")
    except MissingDataError as error:
        return _Found(spec.images, "missing", str(error))
    except IqbenchError as error:
        return _Found(spec.images, "wrong", str(error))


def _row(spec: DatasetSpec, found: _Found) -> dict[str, Any]:
    return {
        "dataset": spec.name,
        "task": spec.task,
        "scale": spec.scale,
        "images": found.images,
        "protocol": spec.protocol,
        "data": found.data,
    }


def describe(spec: DatasetSpec) -> dict[str, Any]:
    """All that is known of a dataset.

    Returns
    -------
    dict
        The columns of :func:`overview`, the rest of the block, ``root``, ``problem``: why data is
        missing or wrong, else None, ``missing``: the files that are not there, where the dataset
        has a list of checksums, and ``get``: how its data is to be had.
    """
    found = _look(spec)
    return {
        **_row(spec, found),
        "problem": found.problem,
        "missing": [] if found.data == "complete" else spec.missing_files(),
        "metrics": spec.metrics,
        "output_name": spec.output_name,
        "reference_set": spec.reference_set,
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
