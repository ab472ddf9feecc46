"""Runs over small made folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_folders import Made

from iqbench.engine.scorer import Scorer
from iqbench.images import source

pytest.register_assert_rewrite("made_batches")


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of all files that were decoded since it was last cleared."""
    names: list[str] = []
    decode = source.decode

    def listen(file, **options):
        path = Path(file.name)
        names.append(path.relative_to(path.parents[1]).as_posix())
        return decode(file, **options)

    monkeypatch.setattr(source, "decode", listen)
    return names


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, frozenset[str]]]:
    """For each batch that is scored the number of outputs and the columns."""
    batches = []
    start = Scorer.start

    def listen(self, batch):
        found = start(self, batch)
        batches.append((len(batch.outputs), frozenset(found.names)))
        return found

    monkeypatch.setattr(Scorer, "start", listen)
    return batches
