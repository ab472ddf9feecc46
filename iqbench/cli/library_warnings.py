"""Warnings of the library on the command line: one line each on stderr."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import click

from iqbench.cli.streams import say
from iqbench.document.text import printable
from iqbench.errors import IqbenchWarning

__all__ = ["told_warnings"]


@contextmanager
def told_warnings(*, quiet: bool = False) -> Iterator[None]:
    """Print what Python callers get as warnings on stderr, when the work is done or has failed.

    Parameters
    ----------
    quiet
        Print nothing; so does ``iqbench --quiet``.
    """
    quiet = quiet or bool(click.get_current_context().find_root().params.get("quiet"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", IqbenchWarning)
        try:
            yield
        finally:
            own = [one for one in caught if issubclass(one.category, IqbenchWarning)]
            # What is read twice warns twice.
            for text in dict.fromkeys(str(one.message) for one in own if not quiet):
                say(printable(text), label="warning", color="yellow")
    for one in caught:
        if not issubclass(one.category, IqbenchWarning):
            warnings.showwarning(one.message, one.category, one.filename, one.lineno)
