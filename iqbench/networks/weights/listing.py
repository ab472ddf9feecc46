"""Tables of the weights for the command line: status, source and digest."""

from __future__ import annotations

from pathlib import Path

from iqbench.errors import IqbenchError
from iqbench.networks.weights.catalogue import WEIGHT_SETS, weight_set
from iqbench.networks.weights.fetching import missing_weights
from iqbench.networks.weights.store import WeightsFile, locate, read

__all__ = ["describe", "overview"]

SOURCES = {"torchvision": "torchvision"}


def overview(folder: Path | None = None) -> list[dict[str, str]]:
    """Return a row for each network: status, file, digest, source and the metrics that use it.

    ``status`` is present, unverified (the digest is not known), damaged or missing; ``file`` and
    ``digest`` are empty if there is no file.
    """
    rows: list[dict[str, str]] = []
    for entry in WEIGHT_SETS.values():
        path = locate(entry.name, folder)
        status, digest = "missing", ""
        if path is not None:
            try:
                file = read(entry.name, path)
            except IqbenchError:
                status = "damaged"
            else:
                status, digest = "present" if file.verified else "unverified", file.digest
        rows.append(
            {
                "network": entry.name,
                "status": status,
                "file": "" if path is None else str(path),
                "digest": digest,
                "source": SOURCES.get(entry.source, "package index"),
                "used_by": ", ".join(entry.used_by),
            }
        )
    return rows


def describe(name: str, folder: Path | None = None) -> dict[str, str]:
    """Return all facts about the weights of one network, by heading.

    Raises
    ------
    IqbenchError
        If there is no such network, or its file is missing or damaged.
    """
    entry = weight_set(name)
    path = locate(name, folder)
    if path is None:
        raise missing_weights({name: ""})
    file = read(name, path)
    return {
        "network": name,
        "file": str(path),
        "bytes": f"{path.stat().st_size:,}",
        "digest": file.digest,
        "origin": file.origin,
        "used by default": ", ".join(entry.used_by) or "no metric",
        "tensors": _summary(file),
        "licence": entry.licence,
    }


def _summary(file: WeightsFile) -> str:
    first, *_, last = file.arrays
    parameters = sum(values.size for values in file.arrays.values())
    ends = [f"{key} {'x'.join(map(str, file.arrays[key].shape))}" for key in (first, last)]
    return f"{len(file.arrays)}, {parameters:,} values: {' ... '.join(ends)}"
