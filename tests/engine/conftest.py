"""Runs over small made folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_folders import Made
from made_sets import NAMES, colours
from PIL import Image

from iqbench.engine.scorer import Scorer
from iqbench.images import source
from iqbench.metrics._inception_features import InceptionExtractor
from iqbench.networks.weights import Weights

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


@pytest.fixture
def extracted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of all images that the stand-in for Inception was asked for."""
    asked: list[tuple[int, ...]] = []

    def extract(self, image, weights):
        asked.append(tuple(image.shape))
        return colours(image)

    made = Weights("inception", {}, "0123456789ab" * 5, "made")
    monkeypatch.setattr(InceptionExtractor, "extract", extract)
    monkeypatch.setattr(InceptionExtractor, "weights", lambda self, folder: made)
    return asked


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """References in ``ref``, and the outputs of two methods, ``near`` and ``far``."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    for folder in ("ref", "near", "far"):
        (tmp_path / folder).mkdir()
    for name in NAMES:
        image = generator.integers(40, 200, (12, 14, 3))
        Image.fromarray(image.astype(np.uint8)).save(tmp_path / "ref" / name)
        for method, noise in (("near", 3), ("far", 30)):
            noisy = np.clip(image + generator.normal(0, noise, image.shape) + noise, 0, 255)
            Image.fromarray(noisy.astype(np.uint8)).save(tmp_path / method / name)
    return tmp_path
