"""What a score's signature says: everything its value depends on, and nothing else.

The option ``--alpha`` is not in it: it decides whether a picture with transparency has a value, not
which value. The pixels that a file stands for depend on the file alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from iqbench.engine.compute import Precision
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
        spelt[column.name] = signature(fields)
    return spelt
