"""An applied EXIF orientation is reported, and named if it explains a mismatch of sizes."""

from dataclasses import replace

import numpy as np
import pytest
from made_images import exif, noise, pillow, smooth, tiff
from PIL import Image, ImageOps

from iqbench.engine.fitting import fit_pair
from iqbench.errors import IqbenchError
from iqbench.images.orientation import undone
from iqbench.images.source import EncodedImage
from iqbench.protocols.presets import resolve_protocol

RGB = resolve_protocol("rgb")
TURNED = range(2, 9)
SIDEWAYS = range(5, 9)


def read(data, name):
    return EncodedImage(name, data).decode()


def reference(stored, orientation, kind="JPEG"):
    if kind == "TIFF":
        data = tiff(stored, extratags=[(274, "H", 1, orientation, True)])
    else:
        options = {"quality": 95} if kind == "JPEG" else {}
        options |= {"lossless": True} if kind == "WEBP" else {}
        data = pillow(stored, kind, exif=exif(orientation), **options)
    return read(data, "gt.any")


def output(pixels, orientation=1, amount=4):
    noisy = np.clip(pixels + np.random.default_rng(0).normal(0, amount, pixels.shape), 0, 255)
    options = {} if orientation == 1 else {"exif": exif(orientation)}
    return read(pillow(noisy.round().astype(np.uint8), "PNG", **options), "out.png")


def shown(stored, orientation):
    """The stored pixels as Pillow shows them."""
    picture = Image.fromarray(stored)
    picture.getexif()[0x0112] = orientation
    return np.asarray(ImageOps.exif_transpose(picture))


def texts(pair):
    return [remark.text for remark in pair.remarks]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_undoing_gives_what_is_stored(orientation):
    stored = noise(5, 7, 3)
    picture = read(pillow(stored, "PNG", exif=exif(orientation)), "x.png")
    assert picture.orientation == orientation
    assert np.array_equal(undone(picture).pixels, stored)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", TURNED)
def test_an_output_that_is_upright_fits_and_the_orientation_is_said(kind, orientation):
    stored = smooth()
    pair = fit_pair(reference(stored, orientation, kind), output(shown(stored, orientation)), RGB)
    (text,) = texts(pair)
    assert text.startswith("the EXIF orientation of the reference was applied")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", SIDEWAYS)
def test_sizes_that_an_orientation_explains(kind, orientation):
    stored = smooth()
    with pytest.raises(IqbenchError) as caught:
        fit_pair(reference(stored, orientation, kind), output(stored), RGB)
    error = str(caught.value)
    assert "out.png has 36x24 pixels, its reference gt.any has 24x36" in error
    assert f"the EXIF orientation {orientation} of the reference was applied" in error
    assert "apply the orientation when the reference is read" in error


@pytest.mark.parametrize("orientation", SIDEWAYS)
def test_sizes_that_the_outputs_own_orientation_explains(orientation):
    stored = smooth()
    plain = read(pillow(stored, "PNG"), "gt.png")
    with pytest.raises(IqbenchError, match="of the output was applied; without it the sizes fit"):
        fit_pair(plain, output(stored, orientation), RGB)


def test_sizes_are_blamed_on_an_orientation_after_modcrop():
    turned = reference(smooth(26, 36), 6, "PNG")
    with pytest.raises(IqbenchError, match="orientation 6 of the reference"):
        fit_pair(turned, output(smooth(24, 36)), resolve_protocol("sr-y:scale=4"))


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_sizes_that_no_orientation_explains(orientation):
    with pytest.raises(IqbenchError) as caught:
        fit_pair(reference(smooth(), orientation), output(smooth(20, 30)), RGB)
    assert "Nothing is resized" in str(caught.value)
    assert "EXIF" not in str(caught.value)


@pytest.mark.parametrize("amount", [4, 40])
@pytest.mark.parametrize("orientation", TURNED)
def test_an_output_made_of_the_stored_pixels_of_a_square_image(orientation, amount):
    stored = smooth(32, 32)
    pair = fit_pair(reference(stored, orientation), output(stored, amount=amount), RGB)
    said, blamed = texts(pair)
    assert said.startswith("the EXIF orientation of the reference was applied")
    assert "fits much better if the EXIF orientation of its reference is not applied" in blamed


@pytest.mark.parametrize("orientation", TURNED)
def test_an_output_that_is_upright_and_carries_the_tag_still(orientation):
    """Pillow's exif_transpose, and then `save(exif=...)` with the old tag."""
    stored = smooth(32, 32)
    turned = output(shown(stored, orientation), orientation)
    *said, blamed = texts(fit_pair(reference(stored, orientation), turned, RGB))
    assert len(said) == 2
    assert "if the EXIF orientation of the output is not applied" in blamed
    assert "write it without the EXIF orientation" in blamed


@pytest.mark.parametrize("orientation", TURNED)
def test_both_with_the_same_tag_and_stored_pixels_fit(orientation):
    stored = smooth(32, 32)
    pair = fit_pair(reference(stored, orientation), output(stored, orientation), RGB)
    assert [text.partition(" was applied")[0] for text in texts(pair)] == [
        "the EXIF orientation of the reference",
        "the EXIF orientation of the output",
    ]


def test_a_bad_output_is_not_blamed_on_the_orientation():
    turned = reference(smooth(32, 32), 3)
    unlike = replace(turned, pixels=noise(32, 32, 3), orientation=1)
    assert len(texts(fit_pair(turned, unlike, RGB))) == 1


def test_gray_and_deep_pairs_are_compared_as_well():
    stored = smooth(32, 32, channels=1)
    turned = reference(stored, 4, "PNG")
    deep = read(tiff(stored.astype(np.uint16) * 257), "out.tif")
    assert any("fits much better" in text for text in texts(fit_pair(turned, deep, RGB)))


def test_upright_files_say_nothing():
    assert fit_pair(reference(smooth(), 1), output(smooth()), RGB).remarks == ()
