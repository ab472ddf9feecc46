"""Locks and cached properties that still work in a forked process.

A forked process has one thread. A lock that another thread of its parent held at the fork stays
locked in the child, and code that asks for it there waits for ever.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock
from types import TracebackType
from typing import Any, Generic, TypeVar, overload

__all__ = ["CachedProperty", "ForkLock", "cached_property"]

Value = TypeVar("Value")


class ForkLock:
    """A lock that is open in a forked process, even if a thread of the parent held it."""

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
        """Release the lock."""
        self._lock.release()


class CachedProperty(Generic[Value]):
    """A property that is computed once per object.

    Models of pydantic must name this class in their `ignored_types`.
    """

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        """Store the name under which the value is kept."""
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> CachedProperty[Value]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...

    def __get__(self, instance: object | None, owner: type) -> CachedProperty[Value] | Value:
        """Return the object's value; compute it at the first access."""
        if instance is None:
            return self
        kept: dict[str, Value] = instance.__dict__
        return kept.setdefault(self._name, self._compute(instance))


def cached_property(compute: Callable[[Any], Value]) -> CachedProperty[Value]:
    """Compute a property once per object, like ``functools.cached_property``, but without a lock.

    Until Python 3.11 the standard library's holds a lock, shared by all objects of a class, while
    it computes. Here two threads may compute the value at the same moment; the first value stays.
    """
    return CachedProperty(compute)
