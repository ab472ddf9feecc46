"""Folders of pairs, with some images that are gray, small or equal."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_pairs import explain_value, pixels, psnr, write_pair
from needs import SHARED, needs
from skimage import data

from iqbench.errors import IqbenchError
from iqbench.explain import explain
from iqbench.images import degrade
from iqbench.images.resize import imresize_uint8
from iqbench.images.write import write_png

DATA = SHARED / "data"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("folders")
    crops = {"a": np.s_[:64, :80], "b": np.s_[60:130, 100:164], "c": np.s_[100:196, 200:264]}
    for seed, (image, crop) in enumerate(crops.items()):
        reference = data.chelsea()[crop].copy()
        output = degrade.gaussian_noise(reference, 4 + 12 * seed, seed)
        write_png(root / "hr" / f"{image}.png", reference)
        write_png(root / "sr" / f"{image}_x4.png", output)
    return root / "hr", root / "sr"


class TestFolders:
    def images(self, folders):
        for path in sorted(folders[0].iterdir()):
            yield [
                image.astype(np.float64)
                for image in pixels([path, folders[1] / f"{path.stem}_x4.png"])
            ]

    def test_the_mean_of_the_images_and_the_pooled_error_are_two_numbers(self, folders):
        mean = np.mean([psnr(*pair) for pair in self.images(folders)])
        errors = [np.square(first - second).ravel() for first, second in self.images(folders)]
        pooled = 10 * math.log10(255**2 / np.concatenate(errors).mean())
        for value, pool in ((mean, "images"), (pooled, "pooled")):
            frame = explain(*folders, metric="psnr", value=f"{value:.5f}", output_name="{id}_x4")
            best = frame.iloc[0]
            assert best["reproduces"]
            assert best["pool"] == pool
        assert "torchmetrics PeakSignalNoiseRatio over a data set" in best["library"]

    def test_images_of_several_sizes_may_weigh_the_same_in_a_mean_error(self, folders):
        errors = [np.square(first - second).mean() for first, second in self.images(folders)]
        value = f"{10 * math.log10(255**2 / np.mean(errors)):.5f}"
        best = explain(*folders, metric="psnr", value=value, output_name="{id}_x4").iloc[0]
        assert best["reproduces"]
        assert best["protocol"] == "rgb but PSNR of the mean of the images' MSEs"

    def test_names_are_paired_as_the_hint_says(self, tmp_path):
        reference = data.chelsea()[:64, :80].copy()
        for number in (1, 2):
            output = degrade.gaussian_noise(reference, 8, number)
            write_png(tmp_path / "hr" / f"{number:04}_HR.png", reference)
            write_png(tmp_path / "sr" / f"{number}.png", output)
        folders = (tmp_path / "hr", tmp_path / "sr")
        with pytest.raises(IqbenchError, match=r"--reference-name '\{id\}_HR' --match numbers"):
            explain(*folders, metric="psnr", value="30.1")
        frame = explain(
            *folders, metric="psnr", value="30.1", reference_name="{id}_HR", match="numbers"
        )
        assert frame["value"].notna().all()

    @pytest.mark.parametrize(
        "naming", [{"reference_name": "{id}"}, {"output_name": "{id}"}, {"match": "case"}]
    )
    def test_names_of_two_files_are_not_paired(self, folders, naming):
        files = (folders[0] / "a.png", folders[1] / "a_x4.png")
        with pytest.raises(IqbenchError, match="is for folders, but two files are given"):
            explain(*files, metric="psnr", value="30.1", **naming)

    def test_an_image_without_output_is_named(self, folders):
        with pytest.raises(IqbenchError, match=r"missing output: no a\.\*.*--output-name"):
            explain(*folders, metric="psnr", value="30")

    def test_a_file_and_a_folder_are_no_pair(self, folders, cat):
        with pytest.raises(IqbenchError, match="is a folder"):
            explain(folders[0], cat[0], metric="psnr", value="30")


@needs(DATA)
@pytest.mark.parametrize(("metric", "value"), [("psnr", "28.42"), ("ssim", ".8101")])
def test_the_published_table_is_sr_y_rounded(metric, value, tmp_path):
    for path in sorted((DATA / "Set5" / "LR_bicubic_x4").iterdir()):
        (low,) = pixels([path])
        write_png(tmp_path / path.name, imresize_uint8(low, scale=4))
    frame = explain(DATA / "Set5" / "HR_x4", tmp_path, metric=metric, value=value, scale=4)
    best = frame.iloc[0]
    assert best["reproduces"]
    assert best["protocol"] == "sr-y-rounded:scale=4"


class TestOddImages:
    def test_gray_is_tried_as_it_is_and_as_the_luma_of_equal_channels(self, tmp_path):
        pair = write_pair(tmp_path, data.camera()[:64, :80, None].copy())
        frame = explain(*pair, metric="psnr", value=explain_value(pair, "rgb"))
        # Full-range luma of equal channels is the gray itself.
        assert set(frame["colour"]) == {
            *("rgb", "luma-studio", "luma-studio-rounded", "luma-studio-srcnn"),
        }
        assert frame.iloc[0]["protocol"].startswith("rgb, y-full")

    def test_gray_among_colour_counts_in_every_mean(self, tmp_path):
        for name, image in (("a", data.chelsea()[:64, :80]), ("b", data.camera()[:64, :80, None])):
            pair = write_pair(tmp_path, image.copy())
            for path, folder in zip(pair, ("hr", "sr"), strict=True):
                (tmp_path / folder).mkdir(exist_ok=True)
                path.rename(tmp_path / folder / f"{name}.png")
        folders = tmp_path / "hr", tmp_path / "sr"
        a, b = (pixels([folder / name for folder in folders]) for name in ("a.png", "b.png"))
        green = psnr(*(image[..., 1].astype(float) for image in a))
        value = f"{(green + psnr(*(image.astype(float) for image in b))) / 2:.5f}"
        best = explain(*folders, metric="psnr", value=value).iloc[0]
        assert best["reproduces"]
        assert best["protocol"] == "rgb but green alone"

    def test_16_bits_are_quantised_or_not_or_truncated(self, tmp_path):
        rng = np.random.default_rng(0)
        reference = rng.integers(2000, 60000, (32, 40, 3)).astype(np.uint16)
        output = (reference + rng.integers(-1500, 1500, reference.shape)).astype(np.uint16)
        write_png(tmp_path / "ref.png", reference)
        write_png(tmp_path / "out.png", output)
        first, second = (np.floor(image / 65535 * 255 + 1e-9) for image in (reference, output))
        value = f"{psnr(first, second):.5f}"
        best = explain(tmp_path / "ref.png", tmp_path / "out.png", metric="psnr", value=value)
        assert best.iloc[0]["quantise"] == "truncated"
        assert set(best["quantise"]) == {"stored", "uint8", "truncated", "high-byte"}

    def test_equal_images_are_inf(self, cat):
        frame = explain(cat[0], cat[0], metric="psnr", value="inf")
        assert frame.iloc[0]["reproduces"]
        assert frame.iloc[0]["protocol"].startswith("rgb")
        piq = explain(cat[0], cat[0], metric="psnr", value="80.00").iloc[0]
        assert piq["reproduces"]
        assert piq["library"] == "BasicSR calculate_psnr_pt, piq psnr, pyiqa psnr"

    @pytest.mark.parametrize("metric", ["psnr", "ssim", "tv"])
    def test_images_smaller_than_windows_have_what_fits(self, tmp_path, metric):
        pair = write_pair(tmp_path, data.camera()[:9, :10, None].copy())
        frame = explain(*pair, metric=metric, value="0.5")
        assert np.isfinite(frame["value"]).all()

    def test_images_too_small_for_everything_are_refused(self, cat):
        with pytest.raises(IqbenchError, match="too small"):
            explain(*cat, metric="ms-ssim", value="0.9")

    def test_sizes_that_agree_after_a_modcrop_do(self, tmp_path):
        reference, output = data.chelsea()[:66, :81].copy(), data.chelsea()[1:65, :80].copy()
        write_png(tmp_path / "ref.png", reference)
        write_png(tmp_path / "out.png", output)
        value = f"{psnr(reference[:64, :80].astype(float), output.astype(float)):.4f}"
        best = explain(tmp_path / "ref.png", tmp_path / "out.png", metric="psnr", value=value)
        assert best.iloc[0]["reproduces"]
        assert best.iloc[0]["protocol"] == "rgb but modcrop 4"
        assert 1 not in set(best["modcrop"])

    def test_other_sizes_are_refused(self, cat, coffee):
        with pytest.raises(IqbenchError, match="Nothing is resized"):
            explain(cat[0], coffee[1], metric="psnr", value="30")
