"""Parse the value of ``--executor``: ``inline``, ``processes[:N]`` or ``ray[:ADDRESS]``."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from iqbench.errors import IqbenchError, unknown_name

__all__ = ["INLINE", "ExecutorSpec", "RayOptions"]

INLINE = "inline"

_KINDS = (INLINE, "processes", "ray")
_MOST = 100_000


@dataclass(frozen=True)
class RayOptions:
    """The options of executor ``ray``.

    Attributes
    ----------
    address
        As `ray.init` takes it; empty for the cluster that Ray finds by itself, or a new one.
    cpus, gpus
        What a worker asks of its node; None where nobody said it. A GPU may be shared: 0.5.
    workers
        How many workers; None for as many as fit.
    """

    address: str = ""
    cpus: float | None = None
    gpus: float | None = None
    workers: int | None = None

    @classmethod
    def parse(cls, text: str) -> RayOptions:
        """Read ``ADDRESS,cpus=2,gpus=0.5,workers=8``, of which each part may be left out.

        Raises
        ------
        IqbenchError
            On an unknown option, or a value that does not fit.
        """
        found = cls()
        for part in filter(None, (piece.strip() for piece in text.split(","))):
            name, equals, value = part.partition("=")
            if not equals:
                if found.address:
                    raise IqbenchError(f"executor ray: two addresses, {found.address} and {part}")
                found = replace(found, address=part)
            elif name == "workers":
                found = replace(found, workers=_count(value, f"ray:{part}"))
            elif name == "cpus":
                found = replace(found, cpus=_share(value, part))
            elif name == "gpus":
                found = replace(found, gpus=_share(value, part))
            else:
                raise unknown_name("option of executor ray", name, ("cpus", "gpus", "workers"))
        return found


@dataclass(frozen=True)
class ExecutorSpec:
    """Which executor, and what was said of it.

    Attributes
    ----------
    kind
        ``inline``, ``processes`` or ``ray``.
    count
        Of processes; None where nobody said it.
    ray
        Of ``ray``.
    """

    kind: str
    count: int | None = None
    ray: RayOptions = RayOptions()

    @classmethod
    def parse(cls, text: str) -> ExecutorSpec:
        """Read the text of the option.

        Raises
        ------
        IqbenchError
            If there is no such executor, or what stands behind the colon does not fit it.
        """
        kind, colon, rest = str(text).strip().partition(":")  # from Python a number may come
        if kind not in _KINDS:
            raise unknown_name("executor", kind, _KINDS)
        if colon and not rest:
            raise IqbenchError(
                f"executor {text!r}: nothing follows the colon",
                hint="Write inline, processes, processes:4, ray or ray:ADDRESS",
            )
        if rest and kind == INLINE:
            raise IqbenchError(
                f"executor {text!r}: inline takes no number",
                hint="Write inline, or processes:4 for four processes",
            )
        if kind == "ray":
            return cls(kind, ray=RayOptions.parse(rest))
        return cls(kind, count=_count(rest, f"processes:{rest}") if rest else None)


def _count(text: str, where: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST):
        raise IqbenchError(
            f"executor {where}: {text!r} is not a number from 1 to {_MOST:,}",
            hint="Write processes:4 for four processes, or ray:workers=4",
        )
    return int(text)


def _share(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= _MOST:
        raise IqbenchError(
            f"executor ray:{where}: {text!r} is not a number above 0",
            hint="Write ray:cpus=2, or ray:gpus=0.5 for two workers per GPU",
        )
    return value
