"""Blur kernels from files, applied as a convolution."""

from __future__ import annotations

import numpy as np
import pytest
from made_images import noise, smooth
from scipy.signal import convolve2d

from iqbench.degradation import degrade_files, resolve_degradation
from iqbench.errors import IqbenchError
from iqbench.images import degrade
from iqbench.images.source import FileSource
from iqbench.images.write import write_png

MOTION = np.array([[0, 0, 1, 2, 0], [0, 4, 8, 0, 0], [3, 1, 0, 0, 0]], np.uint8)


def write_kernel(path):
    if path.suffix == ".png":
        write_png(path, MOTION[..., None])
    elif path.suffix == ".npy":
        np.save(path, MOTION / 7)
    else:
        separator = "," if path.suffix == ".csv" else " "
        path.write_text("\n".join(separator.join(map(str, row)) for row in MOTION))
    return path


@pytest.mark.parametrize("name", ["k.png", "k.npy", "k.txt", "k.csv"])
def test_a_kernel_is_a_gray_image_an_array_or_rows_of_numbers(tmp_path, name):
    spec = resolve_degradation(f"kernel:file={write_kernel(tmp_path / name)}")
    image = smooth(40, 48)
    padded = np.pad(image.astype(float), ((1, 1), (2, 2), (0, 0)), mode="edge")
    theirs = np.stack(
        [convolve2d(padded[..., c], MOTION / MOTION.sum(), mode="valid") for c in range(3)], axis=2
    )
    assert np.abs(spec.apply(image, 0).astype(float) - theirs).max() <= 0.5 + 1e-9


def test_the_kernel_of_a_gaussian_blur_gives_that_blur():
    image = noise(40, 48)[..., None]
    blurred = degrade.gaussian_blur(image, 1.6, 2, seed=7)
    by_kernel = degrade.kernel_blur(image, degrade.gaussian_kernel(1.6), 2, seed=7)
    np.testing.assert_array_equal(by_kernel, blurred)


def test_a_folder_is_blurred_by_a_kernel(tmp_path):
    write_png(tmp_path / "hr" / "a.png", noise(40, 48)[..., None])
    spec = resolve_degradation(f"kernel:file={write_kernel(tmp_path / 'k.txt')},noise=2")
    assert degrade_files(spec, tmp_path / "hr", tmp_path / "out", seed=3).written == ["a"]
    assert FileSource(tmp_path / "out" / "a.png").read().decode().channels == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("k.txt", "1 2\n3 4", r"has the shape \(2, 2\).*both odd"),
        ("k.txt", "1 2 1\n1", "holds no kernel"),
        ("k.txt", "one", "holds no kernel"),
        ("k.txt", "", "has the shape"),
        ("k.txt", "0 0 0", "values below 0, none above 0"),
        ("k.txt", "1 -1 3", "values below 0, none above 0"),
        ("k.txt", "1 nan 3", "no numbers"),
        ("k.npy", "no array", "holds no kernel"),
        ("k.png", "no image", r"k\.png"),
        (None, "", "cannot read the kernel"),
    ],
)
def test_invalid_kernels_are_refused_before_anything_is_written(tmp_path, name, content, message):
    path = tmp_path / (name or "nowhere.txt")
    if name:
        path.write_text(content)
    with pytest.raises(IqbenchError, match=message):
        resolve_degradation(f"kernel:file={path}")


def test_a_kernel_of_complex_numbers_or_objects_is_refused(tmp_path):
    for values in (np.ones((3, 3), complex), np.array([[1, "a"]], object)):
        np.save(tmp_path / "k.npy", values, allow_pickle=True)
        with pytest.raises(IqbenchError, match=r"k\.npy holds no kernel"):
            resolve_degradation(f"kernel:file={tmp_path / 'k.npy'}")


def test_bicubic_mirrors_edges_as_newer_matlab_if_asked(tmp_path):
    image = noise(40, 48)[..., None]
    usual, mirrored = (
        resolve_degradation(f"bicubic:scale=4{edge}").apply(image, 0)
        for edge in ("", ",edge=symmetric")
    )
    assert (usual[2:-2, 2:-2] == mirrored[2:-2, 2:-2]).all()
    assert (usual != mirrored).any()
    with pytest.raises(IqbenchError, match="edge of degradation 'bicubic'"):
        resolve_degradation("bicubic:scale=4,edge=mirror")
