"""PNG files are read back as written, and no incomplete file remains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_images import noise
from PIL import Image

from iqbench.errors import IqbenchError
from iqbench.images.source import FileSource
from iqbench.images.write import write_png


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_what_was_written_is_read_back(tmp_path, dtype, channels):
    pixels = noise(9, 13, channels, dtype=dtype)
    path = tmp_path / "new" / "folders" / "picture.png"
    write_png(path, pixels)
    np.testing.assert_array_equal(FileSource(path).read().decode().pixels, pixels)
    assert [entry.name for entry in path.parent.iterdir()] == ["picture.png"]


def test_others_see_rgb(tmp_path):
    pixels = noise(9, 13, 3)
    write_png(tmp_path / "picture.png", pixels)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "picture.png")), pixels)


def test_views_are_written_too(tmp_path):
    pixels = noise(9, 13, 3)
    write_png(tmp_path / "picture.png", pixels[::-1, ::2])
    actual = FileSource(tmp_path / "picture.png").read().decode().pixels
    np.testing.assert_array_equal(actual, pixels[::-1, ::2])


def test_an_old_file_is_replaced(tmp_path):
    path = tmp_path / "picture.png"
    for seed in (0, 1):
        write_png(path, noise(4, 4, 1, seed=seed))
    np.testing.assert_array_equal(FileSource(path).read().decode().pixels, noise(4, 4, 1, seed=1))


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "picture.png"
    write_png(path, noise(4, 4, 1))
    before = path.read_bytes()

    def fail(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(IqbenchError, match=r"cannot write .*picture\.png: No space left"):
        write_png(path, noise(4, 4, 1, seed=1))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(IqbenchError, match=r"cannot make the folder .*file: "):
        write_png(tmp_path / "file" / "picture.png", noise(4, 4, 1))


@pytest.mark.parametrize(
    "pixels", [noise(4, 4), noise(4, 4, 4), noise(0, 4, 3), np.zeros((4, 4, 3))]
)
def test_other_arrays_are_refused(tmp_path, pixels):
    with pytest.raises(ValueError, match="pixels are"):
        write_png(tmp_path / "picture.png", pixels)
