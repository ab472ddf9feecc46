"""Requirements of some tests that a machine may lack, with the reasons for skipping."""

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"
"""Beside the repository on some machines: licences do not let its files be redistributed."""

needs_permissions = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0,
    reason="permissions do not bind the superuser, and Windows has others: run it as a plain user",
)


def why_not(path):
    """Say why a test is skipped that reads a file or folder."""
    return f"../{path.relative_to(SHARED.parent)} is not there: we may not redistribute it"


def needs(path):
    """Skip a test where a file or folder is not there."""
    return pytest.mark.skipif(not path.exists(), reason=why_not(path))


def read_beside(path):
    """Return the path of a file, or skip the test that is running."""
    if not path.exists():
        pytest.skip(why_not(path))
    return path
