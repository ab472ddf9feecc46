"""Start and end the command line.

Ctrl-C during the imports also ends with a message instead of a traceback. A short command with
torch spends half of its time on the import and on the end of the process; this module makes both
shorter.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys

__all__ = ["main"]

INTERRUPTED = 130

COLLECTED_AFTER = 5000
"""The number of new objects after which Python looks for garbage; its default slows imports."""


def main() -> None:
    """Run ``iqbench`` with the arguments of the process, and exit."""
    codes: list[int] = []
    # `_end` would skip functions that were registered earlier. With any, Python ends the process.
    if atexit._ncallbacks() == 0:
        atexit.register(_end, codes)
        gc.set_threshold(max(COLLECTED_AFTER, gc.get_threshold()[0]), *gc.get_threshold()[1:])
    try:
        _run()
    except SystemExit as done:
        if done.code is None or isinstance(done.code, int):
            codes.append(done.code or 0)
        raise


def _run() -> None:
    try:
        from iqbench.cli.main import main as run
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        sys.exit(INTERRUPTED)
    run()


def _end(codes: list[int]) -> None:
    """End the process with its exit code, without taking apart what libraries have loaded.

    Python calls it after all threads and all other functions of `atexit` are done. The system frees
    the memory at once, where torch's own end takes half a second. Without an exit code, or where
    the streams cannot be written, Python ends the process itself.
    """
    if not codes:
        return
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            try:
                stream.flush()
            except (OSError, ValueError):
                return
    os._exit(codes[0])
