from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from iqbench.datasets.layouts.embedded import PHOTOGRAPHS, CropSource, EmbeddedLayout
from iqbench.errors import IqbenchError
from iqbench.images.source import FileSource
from iqbench.images.write import write_png

SAMPLES = EmbeddedLayout(layout="embedded").samples(None)


def test_there_are_enough_photographs_colour_and_gray_of_several_sizes() -> None:
    assert len(PHOTOGRAPHS) >= 8
    assert {photograph.channels for photograph in PHOTOGRAPHS} == {1, 3}
    sizes = {(photograph.height, photograph.width) for photograph in PHOTOGRAPHS}
    assert len(sizes) >= 4
    assert all(side % 4 == 0 for size in sizes for side in size)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.image)
def test_a_crop_is_what_its_facts_say(sample) -> None:  # type: ignore[no-untyped-def]  # pytest's
    facts = sample.reference.probe()
    picture = sample.reference.read().decode()
    assert picture.pixels.shape == (facts.height, facts.width, facts.channels)
    assert picture.pixels.dtype == np.uint8
    assert facts.bit_depth == picture.bit_depth == 8
    assert picture.pixels.std() > 10


def test_the_digest_is_of_shape_type_and_pixels() -> None:
    content = SAMPLES[0].reference.read()
    pixels = content.decode().pixels
    expected = hashlib.sha256(b"(224, 192, 3) |u1 " + pixels.tobytes()).hexdigest()
    assert content.digest == content.decode().digest == expected
    assert content.bytes == pixels.size
    assert len({sample.reference.read().digest for sample in SAMPLES}) == len(SAMPLES)


def test_the_crop_is_scikit_images_own_pixels() -> None:
    skimage_data = pytest.importorskip("skimage.data")
    crop = PHOTOGRAPHS[0]
    expected = skimage_data.astronaut()[crop.top :, crop.left :][: crop.height, : crop.width]
    np.testing.assert_array_equal(SAMPLES[0].reference.read().decode().pixels, expected)


def test_another_photograph_under_the_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "astronaut.png"
    write_png(path, np.zeros((16, 16, 3), np.uint8))
    source = CropSource(FileSource(path), PHOTOGRAPHS[0])
    with pytest.raises(IqbenchError, match=r"astronaut\.png is not the photograph"):
        source.read()
    assert source.name.endswith("astronaut.png[16:240, 128:320]")
