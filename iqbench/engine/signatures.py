"""What a score's signature says: everything its value depends on, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from iqbench.engine.compute import Precision
from iqbench.images.source import Alpha
from iqbench.metrics._base import Metric
from iqbench.metrics._registry import Request
from iqbench.protocols.presets import Protocol
from iqbench.results.signature import signature

__all__ = ["signatures_of"]

DIGITS = 12


def signatures_of(
    requests: Iterable[Request],
    protocol: Protocol,
    digests: Mapping[str | Metric, str],
    precision: Precision,
    alpha: Alpha = "error",
) -> dict[str, str]:
    """Spell the signature of every column.

    The precision is part of it only where a network is read: pixel metrics do not depend on it.

    Parameters
    ----------
    requests
        The columns.
    protocol
        Gives its name, its version and the view.
    digests
        Of the networks' weights by name, of trained parameters by metric.
    precision
        Of the networks.
    alpha
        Recorded only if transparency is composited.

    Returns
    -------
    dict
        Column name to signature.
    """
    spelt: dict[str, str] = {}
    for request in requests:
        metric, column = request.metric, request.column
        # Pixels and pyramids have no weights.
        networks = sorted({tap.network for tap in column.taps} & digests.keys())
        fields = {"metric": metric.name, "version": str(metric.version), **dict(column.options)}
        fields["protocol"] = f"{protocol.spec}/{protocol.version}"
        fields["view"] = str(protocol.view(metric.family))
        trained = [f"{name}:{digests[name][:DIGITS]}" for name in networks]
        if metric in digests:
            trained.append(f"{metric.name}:{digests[metric][:DIGITS]}")
        if trained:
            fields["weights"] = "+".join(trained)
        if networks:
            fields["precision"] = precision
        if alpha == "composite":
            fields["alpha"] = alpha
        spelt[column.name] = signature(fields)
    return spelt
