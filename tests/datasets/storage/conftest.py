from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from iqbench.blobs import retries
from iqbench.results import mirror


@pytest.fixture(autouse=True)
def _own_storage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No object of another test, no cache of the user, no pauses between tries."""
    monkeypatch.setenv("IQBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("IQBENCH_STORAGE_CACHE", raising=False)
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.0)
    (tmp_path / "copies").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "copies"))
    monkeypatch.setattr(mirror, "_COPIES", {})
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    yield
    memory.store.clear()
