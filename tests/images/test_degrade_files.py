"""Standard inputs from references: folders in, PNG files out."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
import pytest
from made_images import noise, smooth
from needs import SHARED, needs

from iqbench.degradation import degrade_files, resolve_degradation
from iqbench.errors import IqbenchError
from iqbench.images import degrade
from iqbench.images.source import FileSource
from iqbench.images.write import write_png


def read(path):
    return FileSource(path).read().decode().pixels


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def references(tmp_path):
    folder = tmp_path / "hr"
    write_png(folder / "a.png", smooth(41, 50))
    write_png(folder / "sub" / "b.png", noise(40, 48)[..., None])
    cv2.imwrite(str(folder / "c.jpg"), smooth(40, 48))
    return folder


@pytest.mark.parametrize(
    ("spec", "job"),
    [
        ("bicubic:scale=4", lambda image: degrade.bicubic_downscale(image, 4)),
        ("jpeg:quality=30", lambda image: degrade.jpeg(image, 30)),
        ("blur:sigma=1.6", lambda image: degrade.gaussian_blur(image, 1.6)),
        ("noise:sigma=0", lambda image: image),
    ],
)
def test_every_image_is_degraded_under_its_own_path(spec, job, references, tmp_path):
    done = degrade_files(resolve_degradation(spec), references, tmp_path / "lr")
    assert done.written == ["a", "c", "sub/b"]
    assert set(digests(tmp_path / "lr")) == {"a.png", "c.png", "sub/b.png"}
    for name in ("c.jpg", "sub/b.png"):
        output = read((tmp_path / "lr" / name).with_suffix(".png"))
        np.testing.assert_array_equal(output, job(read(references / name)))


def test_bicubic_cuts_to_a_multiple_first_and_keeps_what_it_cut(references, tmp_path):
    done = degrade_files(
        resolve_degradation("bicubic:scale=4"),
        references,
        tmp_path / "lr",
        modcrop=tmp_path / "hr_x4",
    )
    assert done.cropped == ["a"]
    cut = read(tmp_path / "hr_x4" / "a.png")
    np.testing.assert_array_equal(cut, smooth(41, 50)[:40, :48])
    np.testing.assert_array_equal(
        read(tmp_path / "lr" / "a.png"), degrade.bicubic_downscale(cut, 4)
    )


def test_the_noise_of_an_image_hangs_on_the_seed_and_its_path_alone(references, tmp_path):
    job = resolve_degradation("noise:sigma=25")
    degrade_files(job, references, tmp_path / "first", seed=1)
    write_png(references / "aa.png", smooth(41, 50))
    degrade_files(job, references, tmp_path / "second", seed=1)
    degrade_files(job, references, tmp_path / "third", seed=2)
    first, second, third = (digests(tmp_path / name) for name in ("first", "second", "third"))
    assert first.items() < second.items()
    assert not second.items() & third.items()
    # Equal pictures of different names do not share their noise.
    assert second["a.png"] != second["aa.png"]


def test_what_cannot_be_degraded_is_named_and_the_rest_is_done(references, tmp_path):
    write_png(references / "deep.png", smooth(40, 48).astype(np.uint16) * 257)
    (references / "broken.png").write_bytes((references / "a.png").read_bytes()[:-40])
    write_png(references / "tiny.png", smooth(3, 3))
    write_png(references / "new\nline.png", smooth(40, 48))
    cv2.imwrite(str(references / "clear.png"), noise(40, 48, 4))
    done = degrade_files(resolve_degradation("bicubic:scale=4"), references, tmp_path / "lr")
    assert done.written == ["a", "c", "sub/b"]
    assert set(done.failed) == {"deep", "broken", "tiny", r"new\nline", "clear"}
    assert "16 bits" in done.failed["deep"]
    assert "3x3 pixels, fewer than 4" in done.failed["tiny"]
    assert "it holds a control character" in done.failed[r"new\nline"]
    assert done.failed["clear"].endswith("has transparency. Save it without transparency")


def test_a_single_file_is_degraded_or_refused(references, tmp_path):
    job = resolve_degradation("jpeg:quality=30")
    assert degrade_files(job, references / "c.jpg", tmp_path / "lr").written == ["c"]
    with pytest.raises(IqbenchError, match="does not exist"):
        degrade_files(job, references / "missing.png", tmp_path / "lr")
    with pytest.raises(IqbenchError, match="does not exist"):
        degrade_files(job, references / "nowhere", tmp_path / "lr")


def test_references_are_never_written_over(references, tmp_path):
    before = digests(references)
    job = resolve_degradation("noise:sigma=25")
    (tmp_path / "link").symlink_to(references, target_is_directory=True)
    for place in (references, references / "lr", tmp_path / "link"):
        with pytest.raises(IqbenchError, match="inside the references"):
            degrade_files(job, references, place)
        with pytest.raises(IqbenchError, match="inside the references"):
            degrade_files(job, references, tmp_path / "lr", modcrop=place)
    with pytest.raises(IqbenchError, match="written over"):
        degrade_files(job, references / "a.png", references)
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "a.png").hardlink_to(references / "a.png")
    with pytest.raises(IqbenchError, match="written over"):
        degrade_files(job, references, tmp_path / "linked")
    with pytest.raises(IqbenchError, match="two folders"):
        degrade_files(job, references, tmp_path / "lr", modcrop=tmp_path / "lr")
    assert digests(references) == before
    assert not (tmp_path / "lr").exists()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("bicubik:scale=4", "unknown degradation 'bicubik'. Did you mean 'bicubic'"),
        ("bicubic", "degradation 'bicubic' needs its option 'scale'"),
        ("bicubic:scale=0", "scale of degradation"),
        ("bicubic:scale=1.5", "scale of degradation"),
        ("noise:sigma=nan", "sigma of degradation"),
        ("noise:sigma=-1", "sigma of degradation"),
        ("jpeg:quality=101", "quality of degradation"),
        ("jpeg:qualty=10", "Did you mean 'quality'"),
        ("blur:sigma=1e9", "sigma of degradation"),
    ],
)
def test_a_spec_that_is_none_is_refused(spec, message):
    with pytest.raises(IqbenchError, match=message):
        resolve_degradation(spec)


DATA = SHARED / "data"


@needs(DATA)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_set5_equals_the_published_inputs(scale, tmp_path):
    job = resolve_degradation(f"bicubic:scale={scale}")
    done = degrade_files(job, DATA / "Set5" / f"HR_x{scale}", tmp_path)
    assert len(done.written) == 5
    for image in done.written:
        stored = read(DATA / "Set5" / f"LR_bicubic_x{scale}" / f"{image}.png")
        np.testing.assert_array_equal(read(tmp_path / f"{image}.png"), stored)
