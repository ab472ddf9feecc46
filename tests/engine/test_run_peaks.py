"""10 and 12 bits in files of 16: the white of a run, its messages, stored values and ranks."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from made_folders import IMAGES, Made, noisy, picture
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

import iqbench
from iqbench.boards.board import read_board
from iqbench.errors import IqbenchError, IqbenchWarning
from iqbench.images.write import write_png
from iqbench.protocols.presets import resolve_protocol


def twelve(seed, dark=1):
    """Samples of 12 bits, as a program writes them that does not scale."""
    return (picture(seed, dtype=np.uint16) >> 4) // dark


def degraded(seed, dark=1):
    change = np.random.default_rng(seed).integers(-40, 41, twelve(seed).shape)
    return np.clip(twelve(seed, dark) + change, 0, 4095).astype(np.uint16)


def plain(pixels):
    return cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()


def noted_png(pixels, bits=12):
    """A PNG with the chunk sBIT before its pixels."""
    data, note = plain(pixels), b"sBIT" + bytes([bits] * 3)
    at = data.index(b"IDAT") - 4
    chunk = struct.pack(">I", 3) + note + struct.pack(">I", zlib.crc32(note))
    return data[:at] + chunk + data[at:]


def noted_tiff(pixels):
    """A TIFF with MaxSampleValue."""
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, photometric="rgb", extratags=[(281, "H", 3, (4095,) * 3, True)])
    return file.getvalue()


def ppm(pixels):
    head = f"P6 {pixels.shape[1]} {pixels.shape[0]} 4095\n"
    return head.encode() + pixels.astype(">u2").tobytes()


def scaled(pixels):
    return noted_png((pixels << 4 | pixels >> 8).astype(np.uint16))


def write(folder, images, encode, suffix=".png"):
    folder.mkdir(parents=True, exist_ok=True)
    for seed, image in enumerate(IMAGES):
        (folder / f"{image}{suffix}").write_bytes(encode(images(seed)))


@pytest.fixture
def noted(made: Made) -> Made:
    """References of 12 bits with a note, and outputs of 12 bits without."""
    write(made.root / "hr", twelve, noted_png)
    write(made.root / "out/mine", degraded, plain)
    return made


def right(seed, peak=4095):
    return peak_signal_noise_ratio(twelve(seed), degraded(seed), data_range=peak)


@pytest.mark.parametrize(
    ("encode", "suffix"), [(noted_png, ".png"), (noted_tiff, ".tif"), (ppm, ".ppm")]
)
@pytest.mark.parametrize("both", [True, False])
def test_unscaled_samples_have_the_psnr_of_their_depth(made, encode, suffix, both):
    write(made.root / "hr", twelve, encode, suffix)
    write(made.root / "out/mine", degraded, encode if both else plain, suffix if both else ".png")
    summary = made.evaluate()
    expected = {("mine", image): right(seed) for seed, image in enumerate(IMAGES)}
    assert made.values() == pytest.approx(expected, abs=1e-4)
    assert made.scores()["signature"].str.endswith("|peak=4095").all()
    if not (both and suffix == ".ppm"):
        assert any("3 files" in text and "the peak is 4095" in text for text in summary.warnings)


def test_conforming_files_keep_the_peak_of_16_bits(made):
    write(made.root / "hr", twelve, scaled)
    write(made.root / "out/mine", degraded, scaled)
    (warning,) = made.evaluate().warnings
    assert "the peak is 65535 although a file notes 12 bits" in warning
    # The same picture stored in two ways has one value.
    expected = {("mine", image): right(seed) for seed, image in enumerate(IMAGES)}
    assert made.values() == pytest.approx(expected, abs=1e-3)
    assert not made.scores()["signature"].str.contains("peak").any()


def test_dark_conforming_files_keep_the_peak_of_16_bits(made):
    write(made.root / "hr", lambda seed: twelve(seed, 20), scaled)
    write(made.root / "out/mine", lambda seed: degraded(seed, 20), scaled)
    (warning,) = made.evaluate().warnings
    assert "scaled up to 16 bits; `--peak 4095` says otherwise" in warning
    # Scaled so dark, samples are multiples of 16.
    sides = twelve(0, 20) * 16, degraded(0, 20) * 16
    expected = peak_signal_noise_ratio(*sides, data_range=65535)
    assert made.values()["mine", "a"] == pytest.approx(expected, abs=1e-4)


def test_a_given_peak_overrides_and_is_in_the_signature(noted):
    noted.evaluate(peak=4000)
    assert noted.values()["mine", "a"] == pytest.approx(right(0, 4000), abs=1e-4)
    assert noted.scores()["signature"].str.endswith("|peak=4000").all()


def test_a_protocol_may_say_the_peak_and_the_option_overrides_it(noted, tmp_path, monkeypatch):
    (tmp_path / "protocols.yaml").write_text(
        "twelve: {version: 1, summary: x, citation: y, parameters: [white], peak: white,\n"
        "  fidelity: {colour: rgb}, perception: {colour: rgb}}\n"
        "fixed: {version: 1, summary: x, citation: y, peak: 4000,\n"
        "  fidelity: {colour: rgb}, perception: {colour: rgb}}\n"
    )
    monkeypatch.chdir(tmp_path)
    for protocol, peak, taken in (
        ("twelve:white=4050", None, 4050),
        ("fixed", None, 4000),
        ("fixed", 65535, 65535),
    ):
        made = Made(tmp_path / protocol.replace(":", "-") / str(peak))
        made.evaluate(
            tmp_path / "out/mine", reference=tmp_path / "hr", protocol=protocol, peak=peak
        )
        assert made.values()["mine", "a"] == pytest.approx(right(0, taken), abs=1e-4)


@pytest.mark.parametrize("peak", ["0", "65536", "white"])
def test_a_protocol_with_a_bad_peak_is_refused(tmp_path, monkeypatch, peak):
    (tmp_path / "protocols.yaml").write_text(
        f"fixed: {{version: 1, summary: x, citation: y, peak: {peak},\n"
        "  fidelity: {colour: rgb}, perception: {colour: rgb}}\n"
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(IqbenchError, match=r"protocol 'fixed': .*(peak|white)"):
        resolve_protocol("fixed")


@pytest.mark.parametrize("peak", [0, 65536, "4095"])
def test_a_given_peak_that_no_sample_can_be_is_refused(noted, peak):
    with pytest.raises(IqbenchError, match="the peak must be a whole number"):
        noted.evaluate(peak=peak)


def test_a_peak_below_the_samples_is_an_error_of_that_file(noted):
    (failure, *_) = noted.evaluate(peak=1000).failures
    assert "above the peak 1000" in failure.error


def test_nothing_is_computed_twice_and_each_peak_has_its_own_scores(noted):
    first = noted.evaluate()
    again = noted.evaluate()
    assert (first.scored, again.scored, again.current) == (3, 0, 3)
    assert noted.evaluate(peak=65535).scored == 3
    assert noted.evaluate(peak=65535).current == 3
    assert noted.evaluate().current == 3
    assert set(noted.scores()["signature"].str.rpartition("|")[2]) == {"peak=4095", "view=rgb"}


def test_an_explicit_peak_does_not_change_the_records_of_files(made):
    """The tables hold values of peak 4095, but of these files 65535 is right."""
    write(made.root / "hr", twelve, scaled)
    write(made.root / "out/mine", degraded, scaled)
    made.evaluate(peak=65000)
    assert made.evaluate().scored == 3


def test_outputs_of_8_and_16_bits_are_ranked_together(noted):
    eight = noted.root / "out/eight"
    for seed, image in enumerate(IMAGES):
        share = degraded(seed) / 4095 * 255
        write_png(eight / f"{image}.png", share.round().astype(np.uint8))
    summary = noted.evaluate()
    assert any(
        "white is 4095 in the reference and 255 in the output" in w for w in summary.warnings
    )
    board = read_board(noted.results, {}).table.frame
    assert board["complete"].all()
    assert set(board["rank"]) == {1, 2}


def test_a_broken_output_does_not_keep_others_from_being_ranked(noted):
    write(noted.root / "out/fine", degraded, plain)
    (noted.root / "out/mine/b.png").write_bytes(b"no image")
    noted.evaluate()
    board = read_board(noted.results, {}).table.frame.set_index("method")
    assert board["complete"].to_dict() == {"fine": True, "mine": False}
    assert board.loc["fine", "rank"] == 1


def test_several_peaks_in_a_dataset_are_not_averaged(noted):
    (noted.root / "hr/c.png").write_bytes(plain(picture(2, dtype=np.uint16)))
    write_png(noted.root / "out/mine/c.png", noisy(picture(2, dtype=np.uint16)))
    summary = noted.evaluate()
    assert any("several sample values of white" in text for text in summary.warnings)
    assert not read_board(noted.results, {}).table.frame["complete"].any()


def test_dark_files_without_a_record_give_one_warning_and_keep_16_bits(made):
    write(made.root / "hr", twelve, plain)
    write(made.root / "out/mine", degraded, plain)
    (warning,) = made.evaluate().warnings
    assert warning.startswith("'hr', 3 files (")
    assert "`--peak` must say the sample value of white" in warning
    assert made.values()["mine", "a"] == pytest.approx(right(0, 65535), abs=1e-4)


def test_measure_says_the_peak(noted):
    pair = noted.root / "hr/a.png", noted.root / "out/mine/a.png"
    with pytest.warns(IqbenchWarning, match=r"a.png: the peak is 4095, not 65535"):
        frame = iqbench.measure(*pair, metrics=["psnr", "ssim"], device="cpu")
    assert frame["value"].iloc[0] == pytest.approx(right(0), abs=1e-4)
    assert list(frame["peak"]) == ["4095", "4095"]
    assert frame["signature"].str.endswith("|peak=4095").all()
    frame = iqbench.measure(*pair, metrics="psnr", peak=65535, device="cpu")
    assert frame["value"].iloc[0] == pytest.approx(right(0, 65535), abs=1e-4)


def test_views_that_round_to_8_bits_start_from_the_peak(noted):
    noted.evaluate(protocol="denoise-rgb")
    rounded = [np.floor(side / 4095 * 255 + 0.5) for side in (twelve(0), degraded(0))]
    expected = peak_signal_noise_ratio(*rounded, data_range=255)
    assert noted.values()["mine", "a"] == pytest.approx(expected, abs=1e-4)


def test_applied_orientations_are_reported_once(made):
    for seed, image in enumerate(IMAGES):
        folder = made.root / "hr"
        folder.mkdir(exist_ok=True)
        tags = Image.Exif()
        tags[0x0112] = 3
        Image.fromarray(picture(seed)).save(folder / f"{image}.png", exif=tags)
    made.method()
    applied, better = made.evaluate().warnings
    assert applied.startswith("'hr', 3 files (")
    assert "the EXIF orientation of the reference was applied" in applied
    assert "the output fits much better" in better


def test_a_peak_that_is_too_large_is_refused_whether_or_not_there_are_scores(tmp_path):
    made = Made(tmp_path)
    made.references(("a",))
    made.method(images=("a",))
    for _ in range(2):
        (failure,) = made.evaluate(peak=1023).failures
        assert "8 bits per sample, too few for the peak 1023" in failure.error
        assert made.evaluate().failures == []
