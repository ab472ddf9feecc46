"""Progress of a run in a notebook; nothing is imported to find out whether there is one."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from html import escape
from importlib import import_module
from typing import Any

from iqbench.engine.reporter import Reporter, SilentReporter

__all__ = ["in_notebook", "notebook_progress"]

_PAUSE = 0.2
"""Seconds between two changes of a bar: each is a message to the browser."""


def in_notebook() -> bool:
    """Say whether a kernel of Jupyter runs this process."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


@contextmanager
def notebook_progress() -> Iterator[Reporter]:
    """Show a bar of outputs below the cell while a run works; outside of notebooks, nothing."""
    if not in_notebook():
        yield SilentReporter()
        return
    _import_tqdm()
    bars = _Bars()
    try:
        yield bars
    finally:
        bars.end()


def _import_tqdm() -> None:
    """Import tqdm before pooch does, without its warning that ipywidgets are missing.

    Nothing here uses them: pooch imports tqdm for bars that it is not asked to show.
    """
    with suppress(ImportError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_module("tqdm.auto")


class _Bars:
    """One bar for each stage of the work, each below the one before."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._what = ""
        self._total = self._done = 0
        self._began = self._shown = 0.0

    def begin(self, what: str, total: int) -> None:
        """Show a new bar."""
        self.end()
        self._what, self._total, self._done = what, total, 0
        self._began = self._shown = time.monotonic()
        display = sys.modules["IPython"].display.display
        self._handle = display(_Shown(*self._texts()), display_id=True)

    def advance(self, done: int) -> None:
        """Fill the bar; not more often than a browser likes."""
        self._done += done
        if time.monotonic() - self._shown >= _PAUSE:
            self._update()

    def end(self) -> None:
        """Leave the last bar as it stands, with the time it took."""
        if self._handle is not None:
            self._update()
            self._handle = None

    def _update(self) -> None:
        if self._handle is not None:
            self._shown = time.monotonic()
            self._handle.update(_Shown(*self._texts()))

    def _texts(self) -> tuple[str, str]:
        seconds = time.monotonic() - self._began
        text = f"{self._what}: {self._done} of {self._total} outputs, {seconds:.1f} s"
        bar = f'<progress value="{self._done}" max="{max(self._total, 1)}"></progress>'
        return text, f"<div>{bar} {escape(text)}</div>"


class _Shown:
    """A bar as text and as HTML."""

    def __init__(self, text: str, html: str) -> None:
        self._text, self._html = text, html

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return self._html
