"""What threads share, made so that a process may be forked at any moment.

A forked process has one thread. A lock that another thread of its parent held at that moment stays
locked in it, and whoever asks for it waits without end.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock
from types import TracebackType
from typing import Any, Generic, TypeVar, overload

__all__ = ["ForkLock", "cached_property"]

Value = TypeVar("Value")


class ForkLock:
    """A lock that is open in a forked process, whoever held it in the parent."""

    def __init__(self) -> None:
        self._renew()

    def _renew(self) -> None:
        self._lock, self._process = Lock(), os.getpid()

    def __enter__(self) -> None:
        """Wait until no other thread of this process holds the lock, and hold it."""
        if self._process != os.getpid():
            self._renew()  # at its first use after a fork, where there is one thread
        self._lock.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let the next thread have the lock."""
        self._lock.release()


class _CachedProperty(Generic[Value]):
    """A property that is computed once an object."""

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        """Note the name under which the value is kept."""
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> _CachedProperty[Value]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...

    def __get__(self, instance: object | None, owner: type) -> _CachedProperty[Value] | Value:
        """Return the value of an object; computed only if it is not there yet."""
        if instance is None:
            return self
        kept: dict[str, Value] = instance.__dict__
        return kept.setdefault(self._name, self._compute(instance))


def cached_property(compute: Callable[[Any], Value]) -> _CachedProperty[Value]:
    """Compute a property once an object, as ``functools.cached_property`` does, without a lock.

    Until Python 3.11 that one holds a lock, shared by all objects of a class, while it computes.
    Two threads that ask at the same moment may both compute here; the first value stays.
    """
    return _CachedProperty(compute)
