"""The ``iqbench`` command: each sub-command is one file, which is imported when it is called."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from io import StringIO
from types import FrameType
from typing import Any

import click

from iqbench import __version__
from iqbench.cli.streams import say, standard_streams
from iqbench.document.text import printable
from iqbench.errors import IqbenchError, out_of_memory
from iqbench.packages import missing_package

__all__ = ["INTERRUPTED", "cli", "main"]

INTERNAL_ERROR = 70
INTERRUPTED = 130

# What a user can fix, wherever it comes up: a full disk, and a path that cannot be used.
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_UNUSABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP}

# In the order of a user's way through the tool.
COMMANDS = (
    "demo",
    "evaluate",
    "measure",
    "leaderboard",
    "correlate",
    "report",
    "site",
    "check",
    "compare",
    "import",
    "explain",
    "export",
    "results",
    "status",
    "datasets",
    "metrics",
    "protocols",
    "weights",
    "degrade",
    "doctor",
)


MODULES = {"import": "import_values"}
"""Modules and functions of commands whose names are words of Python."""


class _ReaderGoneError(Exception):
    """A broken pipe, past click: it would exit with 1, which here means that a check failed."""


@contextmanager
def _past_click() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise _ReaderGoneError from error


class LazyGroup(click.Group):
    """A group whose sub-commands are the modules of this folder, imported when needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all sub-commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a sub-command's module and return its command."""
        if cmd_name not in COMMANDS:
            return None
        name = MODULES.get(cmd_name, cmd_name)
        command: click.Command = getattr(import_module(f"iqbench.cli.{name}"), name)
        return command

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Read the arguments; prints the help if they ask for it."""
        with _past_click():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the sub-command."""
        with _past_click():
            return super().invoke(ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Refuse an unknown sub-command with the nearest one."""
        from iqbench.errors import unknown_name

        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            raise unknown_name("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="iqbench")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress and no warnings.")
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="Also show versions, device and time; with doctor, every check.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(context: click.Context, quiet: bool, verbose: bool, debug: bool) -> None:
    """Score the outputs of image-restoration methods, and check the numbers.

    \b
    Examples:
      iqbench demo
      iqbench evaluate --method outputs/ --reference hr/
      iqbench measure reference.png output.png
      iqbench leaderboard

    \b
    Exit codes: 0 done; 1 a check failed; 2 the input is wrong, nothing was computed;
    3 done, but some images could not be scored; 70 internal error; 130 interrupted.
    """
    # Commands with more messages than progress bars have these options themselves, too.
    context.default_map = {"evaluate": {"quiet": quiet}, "doctor": {"verbose": verbose}}
    if verbose:
        started = time.monotonic()
        context.call_on_close(lambda: _account(time.monotonic() - started))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    with standard_streams():
        _run(list(sys.argv[1:] if arguments is None else arguments))


def _run(arguments: list[str]) -> None:
    debug = "--debug" in arguments
    try:
        with _termination_interrupts():
            code = cli.main(args=arguments, prog_name="iqbench", standalone_mode=False)
        sys.stdout.flush()
    except IqbenchError as error:
        if debug:
            raise
        _complain(str(error))
        sys.exit(error.exit_code)
    except click.ClickException as error:
        shown = StringIO()
        error.show(shown)
        say(shown.getvalue().rstrip("\n"))
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        kept = "; what was scored is kept, and evaluate goes on from there"
        _complain("interrupted" + (kept if "evaluate" in arguments else ""))
        sys.exit(INTERRUPTED)
    except (BrokenPipeError, _ReaderGoneError):
        sys.exit(0)  # whoever read the output has gone, e.g. `| head`: not an error
    except Exception as error:
        if debug:
            raise
        if refusal := _refusal(error):
            _complain(refusal)
            sys.exit(IqbenchError.exit_code)
        _complain(
            f"internal error: {type(error).__name__}: {error}. Run the command with "
            "`iqbench --debug ...` and report what it prints"
        )
        sys.exit(INTERNAL_ERROR)
    sys.exit(code if isinstance(code, int) else 0)


@contextmanager
def _termination_interrupts() -> Iterator[None]:
    """Let SIGTERM, which schedulers send before they kill, do what Ctrl-C does: keep the scores.

    So does SIGHUP, which comes where a terminal is closed or a connection breaks. A signal that is
    ignored stays so: `nohup` ignores SIGHUP.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    terminals = [number for number in (1, 2) if os.isatty(number)]

    def interrupt(number: int, frame: FrameType | None) -> None:
        for terminal in terminals:
            if not os.isatty(terminal):  # it is gone, and writing there would be an error
                os.dup2(os.open(os.devnull, os.O_WRONLY), terminal)
        signal.default_int_handler(number, frame)

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {getattr(signal, name): signal.getsignal(getattr(signal, name)) for name in names}
    taken = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}
    for number in taken:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in taken.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _refusal(error: Exception) -> str:
    """Say what the system refused, where a user can fix that; else nothing."""
    if out_of_memory(error):
        return "not enough memory. Allow the process more of it, or give smaller images"
    if isinstance(error, ModuleNotFoundError):
        known = missing_package(error)
        return "" if known is error else str(known)
    if not isinstance(error, OSError):
        return ""
    place = "" if error.filename is None else f"{error.filename}: "
    if error.errno in _FULL:
        return f"{place}{error.strerror}. Free some space, or write to another place"
    if error.errno in _UNUSABLE and place:
        return f"{place}{error.strerror}. Check the path and its permissions"
    return ""


def _account(seconds: float) -> None:
    """Say on stderr what computed, and how long."""
    parts = [f"iqbench {__version__}", f"Python {sys.version.partition(' ')[0]}"]
    torch = sys.modules.get("torch")
    if torch is not None:
        device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
        parts.append(f"torch {torch.__version__} ({torch.get_num_threads()} threads, {device})")
    say(f"{', '.join(parts)}; {seconds:.1f} s")


def _complain(message: str) -> None:
    """Print an error on stderr, in one line that cannot move the cursor."""
    say(printable(message), label="error", color="red")
