"""Each preset is compared with a value from an independent implementation of its source."""

import math
import os

import cv2
import numpy as np
import pytest
import yaml
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from iqbench import measure
from iqbench.errors import IqbenchError
from iqbench.images.write import write_png
from iqbench.metrics._registry import resolve_metrics
from iqbench.protocols.presets import load_presets, resolve_protocol
from iqbench.protocols.user import PROTOCOLS_VARIABLE

REFERENCE = data.astronaut()[20:151, 130:265]
NOISE = np.random.default_rng(0).normal(0, 12, REFERENCE.shape)
OUTPUT = np.clip(REFERENCE * 0.8 + NOISE, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    write_png(folder / "reference.png", REFERENCE)
    write_png(folder / "output.png", OUTPUT)
    return folder / "reference.png", folder / "output.png"


def scored(files, protocol, *metrics):
    frame = measure(*files, metrics=metrics, protocol=protocol)
    assert frame["error"].isna().all()
    return frame["value"].tolist()


def gaussian_ssim(reference, output):
    """Wang et al.'s SSIM by scikit-image, on 0..255."""
    return structural_similarity(
        reference,
        output,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=2 if reference.ndim == 3 else None,
    )


def studio(image):
    """MATLAB's rgb2ycbcr, first channel, unrounded, 0..255."""
    return image @ np.array([65.481, 128.553, 24.966]) / 255 + 16


def full(image):
    return image @ np.array([0.299, 0.587, 0.114])


def crop(image, border, multiple=1):
    height, width = (side - side % multiple for side in image.shape[:2])
    return image[border : height - border, border : width - border]


PAIR = [image.astype(np.float64) for image in (REFERENCE, OUTPUT)]
EXPECTED = {
    "rgb": PAIR,
    "y-full": [full(image) for image in PAIR],
    "sr-y:scale=4": [studio(crop(image, 4, 4)) for image in PAIR],
    "sr-y-rounded:scale=3": [np.floor(studio(crop(image, 3, 3)) + 0.5) for image in PAIR],
    "sr-rgb:scale=2": [crop(image, 2, 2) for image in PAIR],
    "denoise-rgb": PAIR,
    "denoise-gray": [
        cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64) for image in (REFERENCE, OUTPUT)
    ],
    "derain-y": [np.floor(studio(image) + 0.5) for image in PAIR],
    "deblur-rgb": PAIR,
    "lowlight": PAIR,
    "compression": PAIR,
    "ntire-sr": [studio(crop(image, 4, 4)) for image in PAIR],
}


@pytest.mark.parametrize("protocol", EXPECTED)
def test_psnr_and_ssim_see_what_the_field_sees(files, protocol):
    reference, output = EXPECTED[protocol]
    psnr, ssim = scored(files, protocol, "psnr", "ssim")
    # OpenCV rounds its gray in fixed point: a value in a thousand is off by one.
    tolerance = 2e-4 if protocol == "denoise-gray" else 2e-6
    theirs = peak_signal_noise_ratio(reference, output, data_range=255)
    assert psnr == pytest.approx(theirs, rel=tolerance)
    assert ssim == pytest.approx(gaussian_ssim(reference, output), rel=tolerance)


@pytest.mark.parametrize("protocol", ["deblur-ssim3d", "sidd"])
def test_ssim_of_a_volume_is_what_these_fields_mean_by_ssim(files, protocol):
    (requested,) = resolve_metrics(["ssim"], resolve_protocol(protocol).variants)
    assert requested.column.name == "ssim-form=3d"
    frame = measure(*files, metrics=["ssim", "psnr"], protocol=protocol)
    assert frame["metric"].tolist() == ["ssim-form=3d", "psnr"]
    (plain,) = scored(files, "rgb", "ssim:form=3d")
    assert frame["value"][0] == pytest.approx(plain, rel=1e-9)


@pytest.fixture(scope="module")
def tinted(tmp_path_factory):
    """A dark output whose red is darker than its blue, and its reference."""
    folder = tmp_path_factory.mktemp("tinted")
    output = np.clip(REFERENCE * [0.55, 0.62, 0.8] + NOISE / 3, 0, 255).round().astype(np.uint8)
    write_png(folder / "reference.png", REFERENCE)
    write_png(folder / "output.png", output)
    return (folder / "reference.png", folder / "output.png"), output


# Retinexformer's --GT_mean takes OpenCV's gray of BGR, although its arrays are RGB.
@pytest.mark.parametrize(
    ("protocol", "conversion"),
    [("lowlight-gtmean", cv2.COLOR_BGR2GRAY), ("lowlight-gtmean-rgb", cv2.COLOR_RGB2GRAY)],
)
def test_gt_mean_scales_the_output_to_the_brightness_of_the_reference(tinted, protocol, conversion):
    files, output = tinted
    images = [np.float32(image) / 255 for image in (REFERENCE, output)]
    means = [cv2.cvtColor(image, conversion).mean(dtype=np.float64) for image in images]
    bright = np.clip(images[1] * (means[0] / means[1]), 0, 1) * 255.0
    psnr, ssim = scored(files, protocol, "psnr", "ssim")
    theirs = peak_signal_noise_ratio(PAIR[0], bright, data_range=255)
    assert psnr == pytest.approx(theirs, rel=1e-6)
    assert ssim == pytest.approx(gaussian_ssim(PAIR[0], bright), rel=1e-6)
    (dark,) = scored(files, "lowlight", "psnr")
    assert psnr > dark + 3


def test_red_and_blue_exchanged_in_the_brightness_make_another_value(tinted):
    cited, other = (scored(tinted[0], name, "psnr")[0] for name in GT_MEAN)
    assert abs(cited - other) > 0.3


GT_MEAN = ("lowlight-gtmean", "lowlight-gtmean-rgb")


def clipped_ssim(reference, output):
    """SSIM of two planes in 0..255 whose contrast times structure is at least 0, by OpenCV."""

    def blurred(image):
        return cv2.GaussianBlur(image, (11, 11), 1.5)[5:-5, 5:-5]

    mean, other = blurred(reference), blurred(output)
    covariance = blurred(reference * output) - mean * other
    energy = blurred(reference**2) + blurred(output**2) - mean**2 - other**2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    structure = np.maximum((2 * covariance + c2) / (energy + c2), 0)
    return ((2 * mean * other + c1) / (mean**2 + other**2 + c1) * structure).mean()


@pytest.fixture(scope="module")
def reversed_details(tmp_path_factory):
    """An output that shows the negatives of the reference's details on one side."""
    folder = tmp_path_factory.mktemp("reversed")
    blurred = cv2.GaussianBlur(REFERENCE.astype(float), (0, 0), 3)
    output = OUTPUT.copy()
    output[:, 60:] = np.clip(2 * blurred - REFERENCE, 0, 255)[:, 60:].round()
    write_png(folder / "reference.png", REFERENCE)
    write_png(folder / "output.png", output)
    return (folder / "reference.png", folder / "output.png"), output


def test_pyiqas_tables_clip_the_structure_of_rounded_luma(reversed_details):
    files, output = reversed_details
    planes = [studio(image.astype(float)) for image in (REFERENCE, output)]
    psnr, ssim = scored(files, "pyiqa-y", "psnr", "ssim")
    error = np.mean(((planes[0] - planes[1]) / 255) ** 2)
    assert psnr == pytest.approx(-10 * np.log10(error + 1e-8), rel=1e-6)
    rounded = [np.floor(plane + 0.5) for plane in planes]
    assert ssim == pytest.approx(clipped_ssim(*rounded), rel=1e-6)
    assert ssim > gaussian_ssim(*rounded) + 0.01


def test_pyiqas_psnr_of_equal_images_is_80_db(files):
    assert scored((files[0], files[0]), "pyiqa-y", "psnr") == pytest.approx([80])


@pytest.mark.parametrize(("protocol", "sets"), [("pyiqa-y", ["fid"]), ("ntire-sr", [])])
def test_the_row_of_a_perceptual_table_is_the_default(protocol, sets):
    resolved = resolve_protocol(protocol)
    names = [item.column.name for item in resolve_metrics(resolved.metrics, resolved.variants)]
    assert names[2:] == ["lpips-alex", "dists", "niqe-luma=full", *sets]
    assert str(resolved.view("perception", "dists")) == "rgb,uint8"
    assert str(resolved.view("naturalness", "niqe")) == "rgb,uint8"


def test_every_preset_is_held_to_a_value_here():
    held = {protocol.partition(":")[0] for protocol in EXPECTED}
    assert held | {"deblur-ssim3d", "sidd", "pyiqa-y", *GT_MEAN} == load_presets().keys()


def test_what_is_quantised_of_a_16_bit_file(tmp_path):
    reference = np.full((16, 16, 3), 30000, np.uint16)
    write_png(tmp_path / "reference.png", reference)
    write_png(tmp_path / "output.png", reference + 100)
    files = tmp_path / "reference.png", tmp_path / "output.png"
    # 30000 / 257 = 116.73 and 30100 / 257 = 117.12: both are 117 of an 8-bit file.
    assert scored(files, "denoise-rgb", "psnr") == [math.inf]
    assert scored(files, "sidd", "psnr")[0] == pytest.approx(20 * np.log10(65535 / 100), rel=1e-5)


PRESET = """
mine:
  version: 3
  summary: Luma without two pixels of border
  citation: This test
  parameters: [border]
  fidelity: {colour: luma-studio, crop: border}
  perception: {colour: rgb}
"""


def test_a_user_adds_a_preset_in_yaml(files, tmp_path, monkeypatch):
    (tmp_path / "own.yaml").write_text(PRESET)
    monkeypatch.setenv(PROTOCOLS_VARIABLE, str(tmp_path / "own.yaml"))
    frame = measure(*files, metrics=["psnr"], protocol="mine:border=2")
    seen = [studio(crop(image, 2)) for image in PAIR]
    theirs = peak_signal_noise_ratio(*seen, data_range=255)
    assert frame["value"][0] == pytest.approx(theirs, rel=1e-6)
    assert "protocol=mine:border\\e2/3" in frame["signature"][0]


def test_a_preset_in_the_working_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.delenv(PROTOCOLS_VARIABLE, raising=False)
    (tmp_path / "protocols.yaml").write_text(PRESET)
    monkeypatch.chdir(tmp_path)
    assert "mine" in load_presets()


REFUSED_BLOCKS = [
    ("fidelity: {colour: rgb, crop: -1}", "'fidelity.crop': must be a whole number from 0, or"),
    ("fidelity: {colour: rgb, crop: 1.5}", "'fidelity.crop': must be a whole number from 0"),
    ("fidelity: {colour: rgb, crop: true}", "'fidelity.crop': must be a whole number from 0"),
    ("fidelity: {colour: rgb, modcrop: 0}", "'fidelity.modcrop': must be a whole number from 1"),
    ("fidelity: {colour: rgb, crop: b}", "'b' is none of its parameters. Name it there:"),
    ("fidelity: {colour: rgb, quantise: 'no'}", "'fidelity.quantise': Input should be"),
    ("views: {pnsr: {colour: rgb}}", "views: unknown metric 'pnsr'. Did you mean 'psnr'?"),
    ("views: {'nolib:x': {colour: rgb}}", "views: unknown metric 'nolib:x'"),
    ("variants: {pnsr: 'psnr:epsilon=1'}", "variants: unknown metric 'pnsr'"),
    ("variants: {psnr: 'psnr:epsilo=1'}", "variants: unknown option of metric 'psnr'"),
    ("variants: {psnr: ssim}", "variants: 'ssim' is no variant of 'psnr', but another metric"),
    ("fidelity: {crop: 2}", "key 'fidelity.colour' is missing"),
    ("version: 0", "'version': Input should be greater than or equal to 1"),
    ("peak: true", "'peak.int': Input should be a valid integer"),
]


@pytest.mark.parametrize(("line", "message"), REFUSED_BLOCKS)
def test_a_preset_that_would_be_read_otherwise_than_meant_is_refused(
    files, tmp_path, monkeypatch, line, message
):
    block = yaml.safe_load(PRESET)["mine"] | {"fidelity": {"colour": "rgb"}, "parameters": []}
    block |= yaml.safe_load(line)
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({"mine": block}))
    monkeypatch.setenv(PROTOCOLS_VARIABLE, str(tmp_path / "own.yaml"))
    with pytest.raises(IqbenchError, match=r"protocol .*mine") as caught:
        measure(*files, metrics=["psnr"], protocol="mine")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "text", ["http: {port: 80}\n", "protocols: [modbus]\n", "[mqtt]\n", "a: {\n", ""]
)
def test_a_file_of_another_program_in_the_working_folder_is_named_with_its_place(
    tmp_path, monkeypatch, text
):
    monkeypatch.delenv(PROTOCOLS_VARIABLE, raising=False)
    (tmp_path / "protocols.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(IqbenchError) as caught:
        load_presets()
    place = tmp_path / "protocols.yaml"
    assert f"{place} was read because it lies in the working folder" in caught.value.hint
    assert f"set {PROTOCOLS_VARIABLE} to a file of your own" in caught.value.hint
    monkeypatch.setenv(PROTOCOLS_VARIABLE, os.devnull)
    assert "rgb" in load_presets()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PRESET.replace("mine", "rgb"), "'rgb' is built in already"),
        (PRESET.replace("colour: rgb", "color: rgb"), "unknown key 'color'. Did you mean 'colour'"),
        (PRESET.replace("colour: rgb", "colour: cmyk"), "key 'perception.colour'"),
        (PRESET.replace("crop: border", "crop: edge"), "'edge' is none of its parameters"),
        (PRESET.replace("mine", "'a:b'"), "a name has no blanks"),
        ("- rgb", "must hold one block a protocol"),
        ("mine: 80", "protocol 'mine' must hold keys with values, not 80"),
        (PRESET.replace("summary", "sumary"), "sumary"),
    ],
)
def test_a_wrong_preset_is_named(tmp_path, monkeypatch, text, message):
    (tmp_path / "own.yaml").write_text(text)
    monkeypatch.setenv(PROTOCOLS_VARIABLE, str(tmp_path / "own.yaml"))
    with pytest.raises(IqbenchError) as caught:
        load_presets()
    assert message in str(caught.value)
    assert "own.yaml" in str(caught.value)


def test_a_file_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv(PROTOCOLS_VARIABLE, "nowhere.yaml")
    with pytest.raises(IqbenchError, match=r"nowhere\.yaml does not exist"):
        load_presets()
