"""Pairs of images to explain, made once."""

from __future__ import annotations

import pytest
from made_pairs import write_pair
from skimage import data


@pytest.fixture(scope="session")
def cat(tmp_path_factory):
    """128x160, from 0 to 231."""
    return write_pair(tmp_path_factory.mktemp("cat"), data.chelsea()[60:188, 100:260].copy())


@pytest.fixture(scope="session")
def coffee(tmp_path_factory):
    """392x400: large enough for piq to halve it."""
    return write_pair(tmp_path_factory.mktemp("coffee"), data.coffee()[:392, :400].copy())
