from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from iqbench.blobs import retries


@pytest.fixture(autouse=True)
def _own_storage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No object of another test, no cache of the user, no pauses between tries."""
    monkeypatch.setenv("IQBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("IQBENCH_STORAGE_CACHE", raising=False)
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.0)
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    yield
    memory.store.clear()
