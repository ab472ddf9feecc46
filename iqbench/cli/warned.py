"""Warnings on the command line: one line each on stderr, as evaluate has them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import click

from iqbench.errors import IqbenchWarning
from iqbench.report.text import printable

__all__ = ["warnings_told"]


@contextmanager
def warnings_told(*, quiet: bool = False) -> Iterator[None]:
    """Write what the library warns of to stderr when the block ends, each text once.

    Parameters
    ----------
    quiet
        Write nothing.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", IqbenchWarning)
        try:
            yield
        finally:
            ours = [one for one in caught if issubclass(one.category, IqbenchWarning)]
            for text in dict.fromkeys(str(one.message) for one in ours):
                if not quiet:
                    click.secho("warning: ", fg="yellow", err=True, nl=False)
                    click.echo(printable(text), err=True)
    for one in caught:
        if one not in ours:
            warnings.showwarning(one.message, one.category, one.filename, one.lineno)
