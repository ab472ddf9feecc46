from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from iqbench.datasets.dataset import Dataset, reference_folder

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _no_data_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IQBENCH_DATA", raising=False)


@pytest.fixture
def make_files(tmp_path: Path) -> Callable[..., Path]:
    """Make empty files below a folder: listing and matching never open one."""

    def make(folder: str, names: Iterable[str]) -> Path:
        root = tmp_path / folder
        root.mkdir(parents=True, exist_ok=True)
        for name in names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return root

    return make


@pytest.fixture
def make_dataset(make_files: Callable[..., Path]) -> Callable[..., Dataset]:
    def make(names: Iterable[str], name: str = "refs") -> Dataset:
        return reference_folder(make_files("references", names), name)

    return make
