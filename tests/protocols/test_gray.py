"""Gray references, gray outputs and colour outputs under every protocol, in any file format."""

from itertools import product

import cv2
import numpy as np
import pandas as pd
import pytest
from needs import SHARED, needs
from skimage import data

from iqbench import evaluate, measure
from iqbench.errors import IqbenchError, IqbenchWarning
from iqbench.images.resize import imresize_uint8
from iqbench.images.source import FileSource
from iqbench.images.write import write_png
from iqbench.maps import difference_maps
from iqbench.protocols.presets import load_presets
from iqbench.results.signature import parse_signature

STUDIO = np.array([65.481, 128.553, 24.966])
FULL = np.array([0.299, 0.587, 0.114])
RNG = np.random.default_rng(3)

GRAY = data.camera()[100:196, 200:312]
NOISY = np.clip(GRAY + RNG.normal(0, 8, GRAY.shape), 0, 255).round().astype(np.uint8)
# As a network's RGB output of a gray image: channels differ by a level.
TINTED = np.clip(NOISY[..., None] + RNG.integers(-1, 2, (*GRAY.shape, 3)), 0, 255).astype(np.uint8)
COLOUR = data.astronaut()[:96, 100:212]
LUMA = (16 + COLOUR @ STUDIO / 255 + RNG.normal(0, 5, GRAY.shape)).round().astype(np.uint8)

PROTOCOLS = [
    name if not preset.parameters else f"{name}:scale=4" for name, preset in load_presets().items()
]


def three(plane):
    return np.dstack([plane] * 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gray")
    for name, plane in (("g", GRAY), ("o", NOISY), ("y", LUMA)):
        write_png(folder / f"{name}.png", plane[..., None])
        write_png(folder / f"{name}3.png", three(plane))
    write_png(folder / "tinted.png", TINTED)
    write_png(folder / "colour.png", COLOUR)
    return folder


def scored(folder, reference, output, protocol, metric="psnr", **options):
    pair = folder / f"{reference}.png", folder / f"{output}.png"
    return measure(*pair, metrics=[metric], protocol=protocol, **options).iloc[0]


def psnr(reference, output):
    return 10 * np.log10(255**2 / np.mean((reference.astype(float) - output.astype(float)) ** 2))


def studio(image):
    return 16 + image.astype(float) @ STUDIO / 255


def inside(image):
    return image[4:-4, 4:-4]


def gray_reference(protocol, output):
    """PSNR as the cited code has it of a gray reference: what it reads is three equal channels."""
    reference, name = three(GRAY), protocol.partition(":")[0]
    if name.startswith("lowlight-gtmean"):
        weights = FULL[::-1] if name == "lowlight-gtmean" else FULL
        gain = (reference @ weights).mean() / (output @ weights).mean()
        output = np.clip(output * gain, 0, 255)
    if name == "pyiqa-y":
        error = np.mean(((studio(reference) - studio(output)) / 255) ** 2)
        return -10 * np.log10(error + 1e-8)
    if name in ("sr-y", "ntire-sr"):
        return psnr(inside(studio(reference)), inside(studio(output)))
    if name == "sr-rgb":
        return psnr(inside(reference), inside(output))
    if name == "derain-y":
        return psnr(np.floor(studio(reference) + 0.5), np.floor(studio(output) + 0.5))
    if name == "y-full":
        return psnr(reference @ FULL, output @ FULL)
    if name == "denoise-gray":
        return psnr(np.floor(reference @ FULL + 0.5), np.floor(output @ FULL + 0.5))
    return psnr(reference, output)


@pytest.mark.parametrize("metric", ["psnr", "ssim", "psnr-b", "tv-aniso-output"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_how_a_file_stores_gray_makes_no_difference(folder, protocol, metric):
    # The older tables keep the gray of a reference with one channel, and of no other.
    references = ("g",) if protocol.startswith("sr-y-rounded") else ("g", "g3")
    found = [
        scored(folder, reference, output, protocol, metric)
        for reference, output in product(references, ("o", "o3"))
    ]
    assert not np.isnan(found[0]["value"])
    assert len({row["value"] for row in found}) == 1
    assert len({row["signature"] for row in found}) == 1


@pytest.mark.parametrize("protocol", [name for name in PROTOCOLS if "rounded" not in name])
def test_gray_is_what_the_cited_code_reads(folder, protocol):
    expected = gray_reference(protocol, three(NOISY))
    assert scored(folder, "g", "o", protocol)["value"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("reference", ["g", "g3"])
@pytest.mark.parametrize("protocol", [name for name in PROTOCOLS if "rounded" not in name])
def test_an_output_in_colour_of_a_gray_reference_is_scored_as_rgb(folder, protocol, reference):
    expected = gray_reference(protocol, TINTED)
    value = scored(folder, reference, "tinted", protocol)["value"]
    assert value == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("output", ["o", "o3"])
def test_the_older_tables_keep_the_gray_of_one_channel_and_convert_three(folder, output):
    kept = scored(folder, "g", output, "sr-y-rounded:scale=4")["value"]
    assert kept == pytest.approx(psnr(inside(GRAY), inside(NOISY)), rel=1e-6)
    converted = scored(folder, "g3", output, "sr-y-rounded:scale=4")["value"]
    lumas = (np.floor(inside(studio(three(plane))) + 0.5) for plane in (GRAY, NOISY))
    assert converted == pytest.approx(psnr(*lumas), rel=1e-6)


def test_the_older_tables_refuse_colours_of_a_reference_with_one_channel(folder):
    with pytest.raises(IqbenchError) as refused:
        scored(folder, "g", "tinted", "sr-y-rounded:scale=4")
    text = str(refused.value)
    assert "tinted.png is colour, its reference" in text
    assert "gray: expand" in text
    # What sees RGB has its value all the same.
    assert scored(folder, "g", "tinted", "sr-y-rounded:scale=4", "tv-ratio")["value"] > 0
    assert scored(folder, "g3", "tinted", "sr-y-rounded:scale=4")["value"] > 0


class TestGrayOutputsOfColour:
    """Two readings, and nobody guesses which."""

    STUDIO = ("sr-y:scale=4", "sr-y-rounded:scale=4", "derain-y", "pyiqa-y", "ntire-sr")

    @pytest.mark.parametrize("output", ["y", "y3"])
    @pytest.mark.parametrize("protocol", STUDIO)
    def test_it_is_an_error_that_names_both(self, folder, protocol, output):
        with pytest.raises(IqbenchError) as refused:
            scored(folder, "colour", output, protocol)
        text = str(refused.value)
        assert f"{output}.png is gray, its reference" in text
        assert "--gray-output luma" in text
        assert "--gray-output expand" in text

    @pytest.mark.parametrize("protocol", STUDIO)
    @pytest.mark.parametrize("reading", ["luma", "expand"])
    def test_the_choice_is_in_the_value_and_in_the_signature(self, folder, protocol, reading):
        crop = inside if protocol.startswith(("sr", "ntire")) else np.asarray
        exact = protocol.startswith(("sr-y:", "ntire", "pyiqa"))
        rounded = np.asarray if exact else lambda y: np.floor(y + 0.5)
        output = LUMA if reading == "luma" else rounded(studio(three(LUMA)))
        expected = psnr(crop(rounded(studio(COLOUR))), crop(output))
        if protocol == "pyiqa-y":
            expected = -10 * np.log10(10 ** (-expected / 10) + 1e-8)
        found = [
            scored(folder, "colour", name, protocol, gray_output=reading) for name in ("y", "y3")
        ]
        assert found[0]["value"] == pytest.approx(expected, rel=1e-6)
        assert found[0]["value"] == found[1]["value"]
        assert found[0]["signature"] == found[1]["signature"]
        assert parse_signature(found[0]["signature"])["gray-output"] == reading

    @pytest.mark.parametrize("reading", ["error", "luma", "expand"])
    @pytest.mark.parametrize("protocol", ["y-full", "denoise-gray"])
    def test_where_both_readings_agree_there_is_no_question(self, folder, protocol, reading):
        found = [
            scored(folder, "colour", name, protocol, gray_output=reading) for name in ("y", "y3")
        ]
        luma = COLOUR @ FULL
        reference = luma if protocol == "y-full" else np.floor(luma + 0.5)
        # Lumas of n + 0.5 are rounded up here, and may be a little less in NumPy's sum.
        assert found[0]["value"] == pytest.approx(psnr(reference, LUMA), rel=1e-5)
        assert found[0].equals(found[1])

    def test_rgb_compares_three_equal_channels_and_asks_of_a_gray_file(self, folder):
        expected = psnr(COLOUR, three(LUMA))
        assert scored(folder, "colour", "y3", "rgb")["value"] == pytest.approx(expected, rel=1e-6)
        with pytest.raises(IqbenchError, match=r"y\.png is gray, .* --gray-output expand"):
            scored(folder, "colour", "y", "rgb")
        found = scored(folder, "colour", "y", "rgb", gray_output="expand")
        assert found["value"] == pytest.approx(expected, rel=1e-6)
        # The choice changes no value in RGB, so it is not in the signature.
        assert found["signature"] == scored(folder, "colour", "y3", "rgb")["signature"]

    @pytest.mark.parametrize("output", ["y", "y3"])
    def test_a_luma_has_no_value_in_rgb(self, folder, output):
        frame = measure(
            folder / "colour.png",
            folder / f"{output}.png",
            metrics=["psnr", "tv-ratio"],
            protocol="sr-y:scale=4",
            gray_output="luma",
        )
        assert frame["value"].notna().tolist() == [True, False]
        assert frame["error"][1].startswith("undefined: ")
        assert "read as luma cannot be compared in RGB" in frame["error"][1]

    def test_a_colour_output_keeps_its_value_whatever_is_said_of_gray(self, folder):
        values = {
            scored(folder, "colour", "tinted", "sr-y:scale=4", gray_output=reading)["value"]
            for reading in ("error", "luma", "expand")
        }
        assert len(values) == 1

    def test_maps_follow_the_same_choice(self, folder):
        pair = folder / "colour.png", folder / "y3.png"
        with pytest.raises(IqbenchError, match="--gray-output luma"):
            difference_maps(*pair, maps=["absolute-error"], protocol="sr-y:scale=4")
        for reading, output in (("luma", LUMA), ("expand", studio(three(LUMA)))):
            (found,) = difference_maps(
                *pair, maps=["absolute-error"], protocol="sr-y:scale=4", gray_output=reading
            )
            expected = np.abs(inside(studio(COLOUR)) - inside(output)).mean() / 255
            assert found.mean == pytest.approx(expected, rel=1e-5)

    def test_another_choice_is_refused(self, folder):
        with pytest.raises(IqbenchError, match="unknown reading of gray outputs 'lumma'"):
            scored(folder, "colour", "y", "rgb", gray_output="lumma")


def test_a_run_over_mixed_files_gives_each_its_own_value(folder, tmp_path):
    pictures = {
        "hr": {"a": GRAY[..., None], "b": three(GRAY), "c": COLOUR},
        "gray": {"a": NOISY[..., None], "b": NOISY[..., None], "c": three(NOISY)},
        "rgb": {"a": TINTED, "b": three(NOISY), "c": TINTED},
        "flat": {"a": three(NOISY), "b": TINTED, "c": COLOUR // 2},
    }
    for name, images in pictures.items():
        for image, pixels in images.items():
            write_png(tmp_path / name / f"{image}.png", pixels)
    options = {"metrics": ["psnr", "ssim", "tv-ratio"], "protocol": "sr-y:scale=4"}
    with pytest.warns(IqbenchWarning, match="hr / gray: 1 output not scored, first c"):
        frame = evaluate(
            methods=[str(tmp_path / name) for name in ("gray", "rgb", "flat")],
            reference=str(tmp_path / "hr"),
            results=str(tmp_path / "results"),
            **options,
        )
    assert len(frame) == 27
    for row in frame.itertuples():
        pair = tmp_path / "hr" / f"{row.image}.png", tmp_path / row.method / f"{row.image}.png"
        alone = measure(*pair, **options).set_index("metric").loc[row.metric]
        assert row.value == pytest.approx(alone["value"], rel=1e-12, nan_ok=True)
        assert pd.isna(row.error) or row.error == alone["error"]
    failed = frame[frame["error"].notna()]
    assert set(failed["metric"]) == {"psnr", "ssim"}
    assert set(zip(failed["method"], failed["image"], strict=True)) == {("gray", "c")}


SET14 = SHARED / "data/Set14"


# Its one file with one channel, and an image whose file has three equal ones. The older values are
# those of the published table (SelfExSR quant_eval, column Bicubic).
@needs(SET14)
@pytest.mark.parametrize(
    ("image", "rgb", "older"),
    [
        ("img_003", (24.47, 0.567), (23.14589, 0.540302)),
        ("img_010", (25.70, 0.676), (25.691475, 0.67562)),
    ],
)
def test_the_gray_images_of_set14(tmp_path, image, rgb, older):
    low = FileSource(SET14 / f"LR_bicubic_x4/{image}.png").read().decode().pixels
    write_png(tmp_path / "output.png", imresize_uint8(low, scale=4))
    pair = SET14 / f"HR_x4/{image}.png", tmp_path / "output.png"
    found = measure(*pair, metrics=["psnr", "ssim"], protocol="sr-y:scale=4")["value"]
    assert found.tolist() == [pytest.approx(rgb[0], abs=0.005), pytest.approx(rgb[1], abs=0.0005)]
    found = measure(*pair, metrics=["psnr", "ssim"], protocol="sr-y-rounded:scale=4")["value"]
    assert found.tolist() == [pytest.approx(older[0], abs=1e-4), pytest.approx(older[1], abs=1e-5)]


def test_opencv_reads_a_gray_file_as_three_equal_channels(folder):
    read = cv2.imread(str(folder / "g.png"), cv2.IMREAD_COLOR)
    assert np.array_equal(read, three(GRAY))
