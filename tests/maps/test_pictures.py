"""Maps as pictures and files."""

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from iqbench.errors import IqbenchError
from iqbench.maps import DifferenceMap, legend, render, write_maps
from iqbench.maps.palettes import ramp

KINDS = ("difference", "similarity", "change")


def made(kind="difference", name="ssim", low=0.0, high=1.0, values=None):
    if values is None:
        values = np.linspace(low, high, 256 * 3).reshape(3, 256)
    return DifferenceMap(name, np.asarray(values, np.float32), low, high, "made", kind)


def luminance(colours):
    """Relative luminance of sRGB colours, as WCAG 2 defines it."""
    linear = np.asarray(colours) / 255
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


def test_a_pixel_a_value():
    picture = render(made())
    assert picture.shape == (3, 256, 3)
    assert picture.dtype == np.uint8


@pytest.mark.parametrize("kind", KINDS)
def test_no_difference_is_dark_and_a_larger_one_is_brighter(kind):
    low = -1.0 if kind == "change" else 0.0
    colours = render(made(kind, low=low, values=[np.linspace(low, 1, 256)]))[0]
    bright = luminance(colours)
    if kind == "difference":
        assert (np.diff(bright) > -1e-3).all()
    elif kind == "similarity":
        assert (np.diff(bright) < 1e-3).all()
    else:
        assert bright.argmin() == pytest.approx(128, abs=4)
        assert bright[0] > 0.3 < bright[-1]
        # Blue is less, red is more.
        assert colours[0, 2] > colours[0, 0]
        assert colours[-1, 0] > colours[-1, 2]
    assert bright.min() < 0.01


def test_the_palettes_are_matplotlibs():
    colours = render(made(values=[np.linspace(0, 1, 256)]))[0]
    expected = colormaps["inferno"](np.arange(256), bytes=True)[:, :3]
    np.testing.assert_array_equal(colours, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_no_value_is_gray_and_no_value_is(kind):
    values = [[0.0, np.nan, 1.0, 0.5]]
    picture = render(made(kind, values=values))[0]
    assert picture[1].tolist() == [128, 128, 128]
    palette = render(made(kind, values=[np.linspace(0, 1, 256)]))[0].astype(int)
    assert (np.abs(palette - 128).max(1) > 20).all()


def test_values_beyond_the_limits_have_the_last_colours():
    values = [[-5.0, 0.2, 0.5, 0.8, 5.0]]
    picture = render(made(values=values), low=0.2, high=0.8)[0]
    assert picture[0].tolist() == picture[1].tolist()
    assert picture[3].tolist() == picture[4].tolist()
    assert picture[1].tolist() != picture[2].tolist() != picture[3].tolist()


def test_equal_limits_make_maps_comparable():
    faint, strong = (made(high=high, values=[[0.1, 0.2]]) for high in (0.2, 1.0))
    assert (render(faint) != render(strong)).any()
    np.testing.assert_array_equal(render(faint, high=1.0), render(strong))


@pytest.mark.parametrize("limits", [(1.0, 1.0), (0.5, 0.1), (0.0, np.inf), (np.nan, 1.0)])
def test_limits_that_are_none_are_refused(limits):
    with pytest.raises(ValueError, match="cannot be shown from"):
        render(made(), low=limits[0], high=limits[1])


def test_the_map_stays_as_it_was():
    map_ = made(values=[[0.0, np.nan, 1.0]])
    before = map_.values.copy()
    render(map_)
    np.testing.assert_array_equal(map_.values, before)


def test_the_legend_says_what_the_colours_mean():
    assert legend(made(high=0.131)) == "black 0 to yellow 0.131"
    assert legend(made("similarity")) == "yellow 0 to black 1"
    assert legend(made("change", low=-0.2, high=0.2)) == "blue -0.2, black 0, red 0.2"
    assert legend(made(values=[[0, np.nan]]), high=3) == "black 0 to yellow 3; gray: no value"


@pytest.mark.parametrize("kind", KINDS)
def test_a_ramp_has_the_colours_of_pictures(kind):
    ends = render(made(kind, values=[[0.0, 1.0]]))
    first, *between, last = ramp(kind)
    assert [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in ends[0].tolist()] == [first, last]
    assert len({first, last, *between}) == 9


def test_files_are_the_pictures_and_the_values(tmp_path):
    folder = tmp_path / "new" / "maps"
    maps = [made(), made(name="perceptual-vgg16-sum-l1-weights=.1+.1", values=[[0, np.nan]])]
    paths = write_maps(maps, folder, raw=True)
    assert paths[0] == folder / "ssim.png"
    assert len({path.name for path in paths}) == 2
    assert {path.parent for path in paths} == {folder}
    assert sorted(folder.iterdir()) == sorted(
        [*paths, *(path.with_name(path.name.removesuffix("png") + "npy") for path in paths)]
    )
    for map_, path in zip(maps, paths, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(path)), render(map_))
        raw = np.load(path.with_name(path.name.removesuffix("png") + "npy"), allow_pickle=False)
        assert raw.dtype == np.float32
        np.testing.assert_array_equal(raw, map_.values)


def test_only_files_of_the_maps_names_are_replaced(tmp_path):
    for name in ("ssim.png", "ssim.npy", "other.png"):
        (tmp_path / name).write_bytes(b"old")
    write_maps([made()], tmp_path)
    assert (tmp_path / "ssim.png").read_bytes() != b"old"
    assert (tmp_path / "ssim.npy").read_bytes() == b"old"
    assert (tmp_path / "other.png").read_bytes() == b"old"


def test_what_the_maps_were_made_from_is_never_replaced(tmp_path):
    source = tmp_path / "ssim.png"
    source.write_bytes(b"precious")
    with pytest.raises(IqbenchError, match=r"would replace .*ssim\.png, one of its images"):
        write_maps([made(name="tv-iso"), made()], tmp_path, sources=[source])
    assert [path.name for path in tmp_path.iterdir()] == ["ssim.png"]
    assert source.read_bytes() == b"precious"


@pytest.mark.parametrize("raw", [False, True])
def test_a_folder_that_cannot_be_written_to_is_said_and_left_clean(tmp_path, raw):
    (tmp_path / ("ssim.npy" if raw else "ssim.png")).mkdir()
    with pytest.raises(IqbenchError, match="cannot write"):
        write_maps([made()], tmp_path, raw=raw)
    assert not list(tmp_path.glob(".*"))
