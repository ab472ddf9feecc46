"""Tell classes from aliases such as ``list[str]``, which pass for classes on Python 3.10."""

from __future__ import annotations

from typing import TypeGuard, get_origin

__all__ = ["is_class"]


def is_class(value: object) -> TypeGuard[type]:
    """Return whether a value is a class, and not an alias of one with parameters."""
    return isinstance(value, type) and get_origin(value) is None
