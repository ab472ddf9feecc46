"""Standard output and error: any encoding, closed streams, no control characters for terminals."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from iqbench.document.text import encodable, spell_out
from iqbench.errors import IqbenchError

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = [
    "deliver",
    "goes_elsewhere",
    "print_renderable",
    "print_result",
    "say",
    "standard_streams",
]

# What moves the cursor or hides what was shown. Colours and bold stay; so do, on stderr, the few
# sequences by which rich draws a bar. Whatever has a name in it passes `say` before.
_COLOUR = r"\x1b\[[0-9;]*m"
_CURSOR = r"\r|\x1b\[\?25[lh]|\x1b\[[0-9]*[AGK]"
_UNSAFE = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
_GONE = {errno.EPIPE, errno.ESHUTDOWN}
_USUAL_WIDTH = 80


class ConsoleStream(io.TextIOBase):
    """A standard stream that takes any text.

    Parameters
    ----------
    stream
        What is written to; None where the stream is closed.
    messages
        Whether it is for messages (stderr): these never end the work when they cannot be written.
    """

    encoding: str = "utf-8"
    errors: str | None = "strict"

    def __init__(self, stream: TextIO | None, *, messages: bool) -> None:
        self._stream = stream
        self.encoding = getattr(stream, "encoding", None) or "utf-8"
        self._messages = messages
        allowed = f"{_COLOUR}|{_CURSOR}" if messages else _COLOUR
        self._unsafe = re.compile(f"({allowed})|({_UNSAFE})")

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def isatty(self) -> bool:
        """Say whether it is a terminal."""
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        """Return the descriptor."""
        if self._stream is None:
            raise io.UnsupportedOperation("the stream is closed")
        return self._stream.fileno()

    def write(self, text: str | bytes) -> int:
        """Write text; what the encoding lacks is replaced, as `encodable` says.

        click writes what a shell completes as UTF-8. By nothing, ``b""``, it asks whether a stream
        takes bytes only: this one does not.
        """
        if isinstance(text, bytes) and text:
            text = text.decode()
        if not isinstance(text, str):
            raise TypeError(f"a text is needed, not {type(text).__name__}")
        if self._stream is not None and text:
            shown = text
            if self.isatty():
                shown = self._unsafe.sub(lambda one: one[1] or spell_out(one[2]), text)
            with self._failing():
                self._stream.write(encodable(shown, self.encoding))
        return len(text)

    def flush(self) -> None:
        """Write what waits."""
        if self._stream is not None:
            with self._failing():
                self._stream.flush()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Raise a sentence for what the system refuses; BrokenPipeError where the reader left."""
        try:
            yield
        except (OSError, ValueError) as error:  # ValueError: somebody closed the stream
            self._discard()
            if self._messages:
                return
            number = getattr(error, "errno", None)
            # Windows says EINVAL of a pipe that nobody reads.
            if number in _GONE or (os.name == "nt" and number == errno.EINVAL):
                raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from error
            reason = getattr(error, "strerror", None) or error
            raise IqbenchError(
                f"cannot write to the standard output: {reason}",
                hint="Free some space, or write to a file by -o",
            ) from error

    def _discard(self) -> None:
        """Drop what waits, or Python would try to write it again when it ends."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)
                stream.flush()


@contextmanager
def standard_streams() -> Iterator[None]:
    """Let standard output and error take any text while a command runs."""
    _occupy_descriptors()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (
        ConsoleStream(before[0], messages=False),
        ConsoleStream(before[1], messages=True),
    )
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _occupy_descriptors() -> None:
    """Open nothing where a standard stream is closed: else the next file becomes that stream."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)


def goes_elsewhere() -> bool:
    """Say whether the standard output is shown neither on a terminal nor where messages are."""
    if sys.stdout.isatty():
        return False
    try:
        output, messages = (os.fstat(stream.fileno()) for stream in (sys.stdout, sys.stderr))
    except (OSError, ValueError):  # one of them is closed, or no file
        return True
    return not os.path.samestat(output, messages)


def say(message: str, *, label: str = "", color: str | None = None) -> None:
    """Print a message on stderr; a terminal's lines end between words.

    Parameters
    ----------
    message
        What to say; control characters in names are spelt out.
    label
        What it is, before the message: ``warning``.
    color
        Of the label.
    """
    before = f"{label}: " if label else ""
    lines = [spell_out(line) for line in f"{before}{message}".split("\n")]
    if sys.stderr is not None and sys.stderr.isatty():
        lines = [_folded(line) for line in lines]
    text = "\n".join(lines)
    if label:
        text = click.style(before, fg=color, bold=True) + text.removeprefix(before)
    click.echo(text, err=True)


def _folded(line: str) -> str:
    """Fold a line at the terminal's width, between words."""
    width = _terminal_width()
    if len(line) * 2 < width:  # no character takes more than two columns
        return line
    from rich.text import Text

    from iqbench.document.terminal import Window, write_line

    return write_line(Text(line), Window(width))


def _terminal_width() -> int:
    """Return the width of the terminal that shows messages; stdout may go elsewhere."""
    given = os.environ.get("COLUMNS", "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        return _USUAL_WIDTH
    return columns or _USUAL_WIDTH  # some terminals do not know how wide they are


def print_renderable(content: RenderableType, width: int | None = None) -> None:
    """Print what rich can draw; rich itself would end with exit code 1 where the reader left."""
    from rich.console import Console

    console = Console(width=width)
    with console.capture() as drawn:
        console.print(content)
    click.echo(drawn.get(), nl=False)


def deliver(text: str, format: str, file: Path | None, *, color: bool = False) -> None:
    """Print a command's result, or write it to the file that the user named, and say so."""
    from iqbench.document.files import write_text

    if file is None:
        print_result(text, format, color=color)
        return
    write_text(file, text)
    say(f"wrote {file}")


def print_result(text: str, format: str | None = None, *, color: bool = False) -> None:
    r"""Print a command's result.

    Parameters
    ----------
    text
        With its line ends.
    format
        What it is. JSON stays JSON on every encoding: ``\u2191`` stands for what a stream lacks.
    color
        Whether escape sequences for colours stay.
    """
    if format == "json":
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            # Outside of texts JSON is ASCII, so that what is not can be escaped where it stands.
            text = re.sub(r"[^\x00-\x7f]+", lambda some: json.dumps(some[0])[1:-1], text)
    click.echo(text, nl=False, color=color)
