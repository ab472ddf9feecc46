"""What ``--executor`` may say: ``inline`` or ``processes[:N]``."""

from __future__ import annotations

from dataclasses import dataclass

from iqbench.errors import IqbenchError, unknown_name

__all__ = ["INLINE", "ExecutorSpec"]

INLINE = "inline"

_KINDS = (INLINE, "processes")
_MOST_PROCESSES = 1024


@dataclass(frozen=True)
class ExecutorSpec:
    """Which executor, and what was said of it.

    Attributes
    ----------
    kind
        ``inline`` or ``processes``.
    count
        Of processes; None where nobody said it.
    """

    kind: str
    count: int | None = None

    @classmethod
    def parse(cls, text: str) -> ExecutorSpec:
        """Read the text of the option.

        Raises
        ------
        IqbenchError
            If there is no such executor, or what stands behind the colon does not fit it.
        """
        kind, colon, rest = text.strip().partition(":")
        if kind not in _KINDS:
            raise unknown_name("executor", kind, _KINDS)
        if colon and not rest:
            raise IqbenchError(
                f"nothing stands behind the colon of executor {text!r}",
                hint="Write inline, processes or processes:4",
            )
        if rest and kind == INLINE:
            raise IqbenchError(
                f"executor {text!r}: inline takes no number",
                hint="Write inline, or processes:4 for four processes",
            )
        return cls(kind, _count(rest) if rest else None)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST_PROCESSES):
        raise IqbenchError(
            f"executor processes:{text}: {text!r} is no number from 1 to {_MOST_PROCESSES}",
            hint="Write processes:4 for four processes",
        )
    return int(text)
