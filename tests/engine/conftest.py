"""Runs over small made folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_folders import Made

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

    def listen(data, *, name, **options):
        names.append(Path(name).relative_to(Path(name).parents[1]).as_posix())
        return decode(data, name=name, **options)

    monkeypatch.setattr(source, "decode", listen)
    return names
