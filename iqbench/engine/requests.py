"""The columns that are computed under a protocol."""

from __future__ import annotations

from collections.abc import Iterable

from iqbench.errors import IqbenchError
from iqbench.metrics._registry import Request, check_name, resolve_metrics
from iqbench.protocols.presets import Protocol

__all__ = ["requests_under"]


def requests_under(protocol: Protocol, specs: Iterable[str]) -> tuple[Request, ...]:
    """Convert metric specs and column names to the columns to compute under a protocol.

    Parameters
    ----------
    protocol
        Its variants are taken for names without options.
    specs
        As `iqbench.metrics._registry.resolve_metrics` takes them.

    Raises
    ------
    IqbenchError
        As `resolve_metrics`; and if the protocol has a view or a variant of a metric that there is
        not: that metric would silently be seen as all others are.
    """
    where = f"protocol {protocol.spec}"
    for name in protocol.views:
        try:
            check_name(name)
        except IqbenchError as error:
            raise IqbenchError(f"{where}: views: {error.message}", hint=error.hint) from error
    for name, variant in protocol.variants.items():
        metrics = [{one.metric.name for one in _resolved(where, it)} for it in (name, variant)]
        if metrics[0] != metrics[1]:
            raise IqbenchError(
                f"{where}: variants: {variant!r} is no variant of {name!r}, but another metric",
                hint=f"Give the metric with options, e.g. {name}:KEY=VALUE",
            )
    return resolve_metrics(specs, protocol.variants)


def _resolved(where: str, spec: str) -> tuple[Request, ...]:
    try:
        return resolve_metrics([spec])
    except IqbenchError as error:
        raise IqbenchError(f"{where}: variants: {error.message}", hint=error.hint) from error
