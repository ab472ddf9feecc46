"""Blocks in a MATLAB file: ids, digests, a single read for all, and wrong files."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from numpy.typing import NDArray

from iqbench.api import evaluate
from iqbench.datasets.layout import MissingDataError
from iqbench.datasets.layouts import sidd
from iqbench.datasets.layouts.sidd import SiddLayout
from iqbench.errors import IqbenchError
from iqbench.images.write import write_png

NAME = "ValidationGtBlocksSrgb"
LAYOUT = SiddLayout(layout="sidd", blocks="SIDD/blocks.mat")


def blocks(shape: tuple[int, ...] = (2, 3, 16, 20, 3)) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def save(array: NDArray[np.generic], name: str = NAME, *, compressed: bool = True) -> Path:
        (tmp_path / "SIDD").mkdir(exist_ok=True)
        path = tmp_path / "SIDD" / "blocks.mat"
        scipy.io.savemat(path, {name: array}, do_compression=compressed)
        return path

    return save


@pytest.mark.parametrize("compressed", [True, False])
def test_every_block_is_a_sample_named_as_the_field_names_it(save, tmp_path, compressed) -> None:
    array = blocks()
    save(array, compressed=compressed)
    samples = LAYOUT.samples(tmp_path)
    assert [sample.image for sample in samples] == [
        *("0001_01", "0001_02", "0001_03", "0002_01", "0002_02", "0002_03")
    ]
    source = samples[4].reference
    facts = source.probe()
    assert (facts.height, facts.width, facts.channels, facts.bit_depth) == (16, 20, 3, 8)
    np.testing.assert_array_equal(source.read().decode().pixels, array[1, 1])
    assert source.name.endswith("blocks.mat[1, 1]")


def test_the_digest_is_of_the_block_not_of_the_file(save, tmp_path) -> None:
    array = blocks()
    save(array)
    first = [sample.reference.read().digest for sample in LAYOUT.samples(tmp_path)]
    pixels = b"(16, 20, 3) |u1 " + np.ascontiguousarray(array[0, 0]).tobytes()
    assert first[0] == hashlib.sha256(pixels).hexdigest()
    array[1, 2] += 1
    save(array, compressed=False)
    second = [sample.reference.read().digest for sample in LAYOUT.samples(tmp_path)]
    assert first[:5] == second[:5]
    assert first[5] != second[5]


def test_the_array_is_read_once_and_only_when_a_block_is_asked_for(save, tmp_path, monkeypatch):
    save(blocks())
    read = []
    whole = sidd.read_bytes_array
    monkeypatch.setattr(sidd, "read_bytes_array", lambda *a: read.append(a) or whole(*a))
    samples = LAYOUT.samples(tmp_path)
    assert all(sample.reference.probe().width == 20 for sample in samples)
    assert read == []
    for sample in samples:
        sample.reference.read()
    assert len(read) == 1


def test_outputs_are_scored_against_blocks(save, tmp_path, monkeypatch) -> None:
    array = blocks((1, 2, 16, 16, 3)) // 2
    save(array)
    for block in range(2):
        write_png(tmp_path / "out" / f"0001_{block + 1:02}.png", array[0, block] + 51)
    (tmp_path / "datasets.yaml").write_text(
        "root: .\ndatasets: {Mini: {data: {layout: sidd, blocks: SIDD/blocks.mat}}}\n"
    )
    monkeypatch.chdir(tmp_path)
    scores = evaluate(methods=["out"], datasets=["Mini"], metrics=["psnr"], device="cpu")
    assert scores["image"].tolist() == ["0001_01", "0001_02"]
    assert scores["value"].tolist() == pytest.approx([20 * np.log10(5)] * 2)


@pytest.mark.parametrize(
    ("array", "name", "sentence"),
    [
        (blocks(), "Other", "holds no array 'ValidationGtBlocksSrgb', but Other"),
        (blocks().astype(float), NAME, "is double of shape"),
        (blocks((2, 3, 16, 20)), NAME, r"of shape \(2, 3, 16, 20\), not uint8 of"),
        (blocks((2, 3, 16, 20, 4)), NAME, "not uint8 of"),
        (np.array([["text"]], dtype=object), NAME, "is cell"),
    ],
)
def test_another_array_is_refused_before_it_is_read(
    save, tmp_path, monkeypatch, array, name, sentence
) -> None:
    save(array, name)
    monkeypatch.setattr(sidd, "read_bytes_array", None)
    with pytest.raises(IqbenchError, match=sentence):
        LAYOUT.samples(tmp_path)


def test_an_array_that_is_too_large_is_refused_by_its_declared_shape(
    save, tmp_path, monkeypatch
) -> None:
    save(blocks())
    monkeypatch.setattr(sidd, "_LARGEST", 1000)
    with pytest.raises(IqbenchError, match="too large"):
        LAYOUT.samples(tmp_path)


@pytest.mark.parametrize("compressed", [True, False])
def test_a_truncated_file_is_refused(save, tmp_path, compressed) -> None:
    path = save(blocks(), compressed=compressed)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(IqbenchError, match="damaged: it ends too early"):
        LAYOUT.samples(tmp_path)


@pytest.mark.parametrize("compressed", [True, False])
def test_any_content_of_the_file_is_read_or_refused(save, tmp_path, compressed) -> None:
    """SciPy's reader crashes on some of these."""
    path = save(blocks((2, 2, 8, 8, 3)), compressed=compressed)
    whole = path.read_bytes()
    generator = np.random.default_rng(0)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(300):
        changed = bytearray(whole)
        end = 260 if generator.random() < 0.8 else len(whole)
        for place in generator.integers(124, end, generator.integers(1, 4)):
            changed[place] = generator.integers(256)
        path.write_bytes(changed)
        try:
            for sample in LAYOUT.samples(tmp_path):
                assert sample.reference.read().decode().pixels.dtype == np.uint8
            outcomes["read"] += 1
        except IqbenchError:
            outcomes["refused"] += 1
    assert outcomes["refused"] > 50


def test_another_variable_before_the_blocks_is_passed_over(tmp_path) -> None:
    (tmp_path / "SIDD").mkdir()
    content = {"a": "text", "b": np.eye(3), NAME: blocks(), "cells": np.array([1, "x"], object)}
    scipy.io.savemat(tmp_path / "SIDD" / "blocks.mat", content, do_compression=True)
    pixels = LAYOUT.samples(tmp_path)[5].reference.read().decode().pixels
    np.testing.assert_array_equal(pixels, blocks()[1, 2])


def test_an_array_that_grows_beyond_its_declared_sides_is_not_unpacked(save, tmp_path) -> None:
    path = save(blocks((1, 1, 2, 2, 3)), compressed=False)
    content = bytearray(path.read_bytes())
    values = content.index(struct.pack("<II", 2, 12))  # uint8, 12 values
    content[values : values + 8] = struct.pack("<II", 2, 2**31)
    packed = zlib.compress(bytes(content[128:]) + bytes(2**22))
    path.write_bytes(bytes(content[:128]) + struct.pack("<II", 15, len(packed)) + packed)
    with pytest.raises(IqbenchError, match="not as many values as the sides say"):
        LAYOUT.samples(tmp_path)[0].reference.read()


def test_a_file_that_is_not_there_says_where_it_is_looked_for(tmp_path) -> None:
    for root in (None, tmp_path):
        with pytest.raises(MissingDataError) as caught:
            LAYOUT.samples(root)
        assert "SIDD/blocks.mat" in caught.value.hint
