"""Start the command line: an interruption while it is being imported is a sentence, too."""

from __future__ import annotations

import sys

__all__ = ["main"]

INTERRUPTED = 130


def main() -> None:
    """Run ``iqbench`` with the arguments of the process, and exit."""
    try:
        from iqbench.cli.main import main as run
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        sys.exit(INTERRUPTED)
    run()
