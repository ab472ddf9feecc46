"""Child processes that start within milliseconds: their server has imported iqbench already.

The server (multiprocessing's forkserver) computes nothing itself, so each child starts with a fresh
process in which nothing but imports has happened. What a child prints, C libraries included, goes
into files.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

__all__ = ["Child", "Ended", "command", "problem"]

SECONDS = 60.0
"""A child that takes longer hangs."""

LOADED = (
    *("iqbench.api", "iqbench.functional", "iqbench.cli.main", "iqbench.cli.evaluate"),
    *("iqbench.cli.progress", "iqbench.cli.leaderboard", "iqbench.cli.export"),
    *("iqbench.cli.datasets", "iqbench.cli.protocols", "iqbench.cli.measure"),
    *("iqbench.metrics.psnr", "iqbench.metrics.ssim", "iqbench.metrics.tv", "iqbench.engine.run"),
    *("iqbench.datasets.fetching.archives", "iqbench.boards.board", "iqbench.results.read"),
    *("cv2", "PIL.Image", "imagecodecs", "simplejpeg", "scipy.stats", "pyarrow.parquet"),
)

# Beginnings of the lines that iqbench and click write on stderr.
OWN = re.compile(
    r"error: |warning: |not scored: |no value: |Outputs: \d|Tables are in |wrote |"
    r"Usage: iqbench |Try 'iqbench |Error: |$"
)
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes
    ----------
    code
        Its exit code; the negative number of the signal that ended it; None if it hung.
    stdout, stderr
        What it printed.
    result
        What its function returned; None if it did not return.
    """

    code: int | None
    stdout: str
    stderr: str
    result: Any = None


class Child:
    """A function that runs in a child process.

    Parameters
    ----------
    function, arguments
        What to call; both are pickled.
    """

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        context = get_context("forkserver")
        context.set_forkserver_preload(list(LOADED))
        self._folder = tempfile.TemporaryDirectory(prefix="hostile-child-")
        self._receiver, sender = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_enter, args=(function, arguments, self._folder.name, sender)
        )
        self._process.start()
        sender.close()
        self._receiver.recv()
        self.started = time.monotonic()

    def signal(self, number: int) -> None:
        """Send a signal, unless the child has ended."""
        if self._process.is_alive() and self._process.pid is not None:
            os.kill(self._process.pid, number)

    def wait(self, seconds: float = SECONDS) -> Ended:
        """Wait until the child ends; kill it if that takes too long."""
        result = None
        try:
            if self._receiver.poll(seconds):
                result = self._receiver.recv()
            self._process.join(max(0.0, self.started + seconds - time.monotonic()) + 1)
        except EOFError:  # it ended without a result
            self._process.join(max(0.0, self.started + seconds - time.monotonic()) + 1)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
            code = None
        else:
            code = self._process.exitcode
        self._process.close()
        self._receiver.close()
        with self._folder as folder:
            texts = [(Path(folder) / name).read_text(errors="replace") for name in ("1", "2")]
        return Ended(code, *texts, result)


def _enter(
    function: Callable[..., Any], arguments: Sequence[Any], folder: str, sender: Connection
) -> None:
    # A shell may start a campaign with signals ignored, in the background or by nohup.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    for number in (1, 2):
        file = os.open(f"{folder}/{number}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    sys.stdout, sys.stderr = (
        os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
        for number in (1, 2)
    )
    warnings.resetwarnings()
    warnings.simplefilter("ignore")
    sender.send("started")
    sender.send(function(*arguments))


def command(words: Sequence[str], folder: str | None = None) -> None:
    """Run the command line, in a working folder, as a child's function."""
    from iqbench.cli.main import main

    if folder is not None:
        os.chdir(folder)
    main(list(words))


def problem(ended: Ended, *, codes: Sequence[int] = (0, 2, 3), named: str = "") -> str:
    """Say what is wrong with how a command ended.

    Parameters
    ----------
    ended
        How it ended.
    codes
        Exit codes that may be.
    named
        A text that each error must hold: a part of the name of what it is about.

    Returns
    -------
    str
        ``""`` where nothing is wrong.
    """
    if ended.code is None:
        return "hangs"
    if ended.code not in codes:
        return f"exits with {ended.code}: {ended.stderr[-300:]!r}"
    for line in ended.stderr.split("\n"):
        if not OWN.match(line):
            return f"prints {line[:300]!r}"
        if CONTROLS.search(line):
            return f"prints a control character: {line[:300]!r}"
        if line.startswith(("error: ", "not scored: ")) and named not in line:
            return f"names no file: {line[:300]!r}"
    if ended.code in (2, 3) and not re.search("(?m)^(error|not scored|Error): .", ended.stderr):
        return f"exits with {ended.code} and says nothing"
    return ""
