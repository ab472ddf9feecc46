"""Run commands in this process as a shell would."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout


def said(*arguments: str) -> tuple[object, str, str]:
    """Return the exit code of a command, and what it prints to both streams."""
    from iqbench.cli.main import main

    output, messages = io.StringIO(), io.StringIO()
    code: object = None
    with redirect_stdout(output), redirect_stderr(messages):
        try:
            main(arguments)
        except SystemExit as leaving:
            code = leaving.code
    return code, output.getvalue(), messages.getvalue()
