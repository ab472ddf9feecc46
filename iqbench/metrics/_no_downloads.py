"""Prevent downloads by other libraries if the user forbids them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from iqbench.networks.weights.store import OFFLINE_VARIABLE, offline

__all__ = ["no_downloads"]

_EVENTS = frozenset({"urllib.Request", "socket.getaddrinfo", "socket.gethostbyname"})

_here = threading.local()


@contextmanager
def no_downloads() -> Iterator[None]:
    """Refuse this thread's connections to a network while ``IQBENCH_OFFLINE`` is set.

    Libraries download weights in different ways, so this watches Python's audit events for
    connections. It does not see threads that a library starts, and code outside of Python.

    Raises
    ------
    OSError
        If a library connects. Libraries handle this as a missing network, and use their caches.
    """
    if not offline():
        yield
        return
    _watch()
    before = _refuses()
    _here.refuses = True
    try:
        yield
    finally:
        _here.refuses = before


def _refuses() -> bool:
    return getattr(_here, "refuses", False)


@cache
def _watch() -> None:
    """Watch connections from now on; Python cannot remove an audit hook."""
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if not _refuses():
        return
    # A socket in the file system has a path for its address.
    connects = event == "socket.connect" and isinstance(arguments[1], tuple)
    if connects or event in _EVENTS:
        raise OSError(f"{OFFLINE_VARIABLE} is set, nothing is fetched")
