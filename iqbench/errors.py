"""The class of errors that a user can fix, and the class of warnings."""

from __future__ import annotations

import signal
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

__all__ = [
    "IqbenchError",
    "IqbenchWarning",
    "exits_as_errors",
    "out_of_memory",
    "unknown_name",
    "warn_each_time",
]


class IqbenchError(Exception):
    """Something the user can fix: one sentence that says what and where, and a hint what to do.

    Parameters
    ----------
    message
        What is wrong, naming the file, option or value.
    hint
        What to do about it. Printed after the message.

    Attributes
    ----------
    exit_code
        What the command line exits with: 2, the input is wrong and nothing was computed.
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        stop = "" if self.message.endswith((".", "?", "!")) else "."
        return f"{self.message}{stop} {self.hint}" if self.hint else self.message


class IqbenchWarning(UserWarning):
    """Something about the input or the scores that the user should know."""


def warn_each_time(message: str, *, stacklevel: int = 1) -> None:
    """Warn as `warnings.warn` does, but also where the same line warned of the same before.

    A run that is repeated says again what it says, as in a cell of a notebook that runs twice.

    Parameters
    ----------
    message
        What the user should know.
    stacklevel
        1 for the caller of this function, 2 for its caller.
    """
    frame = sys._getframe(stacklevel)
    warnings.warn_explicit(
        message,
        IqbenchWarning,
        frame.f_code.co_filename,
        frame.f_lineno,
        module=frame.f_globals.get("__name__", "<unknown>"),
        registry={},
    )


@contextmanager
def exits_as_errors() -> Iterator[None]:
    """Turn `sys.exit` in the code of others, such as a metric, into an error of this code.

    Else it would end the run, in silence and perhaps with exit code 0. Where a handler of signals
    exits, the user wants it, whatever code is interrupted.

    Raises
    ------
    RuntimeError
        In place of `SystemExit`.
    """
    try:
        yield
    except SystemExit as error:
        if _raised_by_signal(error):
            raise
        raise RuntimeError(f"it called sys.exit({error.code!r})") from error


def _raised_by_signal(error: BaseException) -> bool:
    """Tell whether a handler of signals raised an error."""
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    codes = {getattr(handler, "__code__", None) for handler in handlers} - {None}
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code in codes:
            return True
        step = step.tb_next
    return False


_MEMORY = (
    "not enough memory",
    "can't allocate memory",
    "insufficient memory",
    "out of memory",
    "failed to map segment",
)


def out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory ran out, as Python, torch and OpenCV word it.

    torch raises a `RuntimeError` and OpenCV its own error, so their texts are read.
    """
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(words in text for words in _MEMORY)


def unknown_name(kind: str, name: object, known: Iterable[str]) -> IqbenchError:
    """Refuse a name that is not known, with the nearest one that is, whatever its case.

    Parameters
    ----------
    kind
        What the name should have been, e.g. ``"metric"``.
    name
        What the user wrote; from Python it may be something else than a text, such as None.
    known
        All names that would have been right.

    Returns
    -------
    IqbenchError
        To be raised by the caller.
    """
    names = sorted(known)
    by_letters = {one.casefold(): one for one in names}
    text = str(name)
    near = [text] if text.casefold() in by_letters else []
    near = near or get_close_matches(text, names, n=1, cutoff=0.5)
    near = near or get_close_matches(text.casefold(), by_letters, n=1, cutoff=0.5)
    if near:
        hint = f"Did you mean {by_letters[near[0].casefold()]!r}?"
    elif names:
        hint = f"Known: {', '.join(names)}"
    else:
        hint = ""
    return IqbenchError(f"unknown {kind} {name!r}", hint=hint)
