"""Aliases of types are not classes, although Python 3.10 says that they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import pytest

from iqbench.classes import is_class

T = TypeVar("T")


class Box(Generic[T]):
    pass


@pytest.mark.parametrize("value", [int, Box, type, Callable])
def test_a_class_is_one(value: object) -> None:
    assert is_class(value)


@pytest.mark.parametrize(
    "value", [list[str], dict[str, int], Callable[[int], Any], Box[int], int | None, None, 1, T]
)
def test_an_alias_or_an_object_is_not_a_class(value: object) -> None:
    assert not is_class(value)
