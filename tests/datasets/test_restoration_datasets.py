"""Packaged blocks of restoration datasets, on small copies of their unpacked archives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from iqbench.datasets.load import PACKAGED_FILE, load_datasets
from iqbench.datasets.matching.by_name import match_outputs
from iqbench.datasets.matching.methods import Method
from iqbench.errors import IqbenchError

SPECS = load_datasets(PACKAGED_FILE)
J = "RealBlur/RealBlur-J_ECC_IMCORR_centroid_itensity_ref"
R = "RealBlur/RealBlur-R_BM3D_ECC_IMCORR_centroid_itensity_ref"


def numbered(pattern: str, count: int) -> list[str]:
    return [pattern.format(number) for number in range(1, count + 1)]


def self_ex_sr(name: str, scale: int, count: int) -> list[str]:
    return [
        f"{name}/image_SRF_{scale}/img_{number:03}_SRF_{scale}_{side}.png"
        for number in range(1, count + 1)
        for side in ("HR", "LR", "bicubic")
    ]


def gopro() -> list[str]:
    return [
        f"GOPRO_Large/test/{scene}/{side}/{frame:06}.png"
        for scene, frames in (("GOPR0384_11_00", 100), ("GOPR0881_11_01", 1011))
        for side in ("blur", "blur_gamma", "sharp")
        for frame in range(1, frames + 1)
    ] + ["GOPRO_Large/train/GOPR0372_07_00/sharp/000047.png"]


def hide() -> list[str]:
    near = numbered("HIDE_dataset/test/test-close-ups/{}fromGOPR0950.png", 2000)
    far = numbered("HIDE_dataset/test/test-long-shot/{}fromGOPR1089.png", 25)
    sharp = [f"HIDE_dataset/GT/{Path(name).name}" for name in near + far]
    return near + far + sharp + ["HIDE_dataset/GT/training.png", "HIDE_dataset/train/training.png"]


def real_blur(folder: str) -> list[str]:
    return [
        f"{folder}/scene{scene:03}/{side}/{side}_{number}.png"
        for scene in range(1, 51)
        for side in ("blur", "gt")
        for number in range(1, 21)
    ]


# Dataset: files of the miniature, an id, and the output that a method would have for it.
CASES: dict[str, tuple[list[str], str, str]] = {
    "BSD100-x2": (self_ex_sr("BSD100", 2, 100), "img_100", "img_100.png"),
    "BSD100-x3": (self_ex_sr("BSD100", 3, 100), "img_007", "img_007.png"),
    "BSD100-x4": (self_ex_sr("BSD100", 4, 100), "img_001", "img_001.png"),
    "Urban100-x2": (self_ex_sr("Urban100", 2, 100), "img_001", "img_001.png"),
    "Urban100-x3": (numbered("Urban100/HR/img_{:03}.png", 100), "img_001", "img_001.png"),
    "Urban100-x4": (self_ex_sr("Urban100", 4, 100), "img_001", "img_001.png"),
    **{
        f"Manga109-x{scale}": (
            ["Manga109/HR/AisazuNihaIrarenai.png", *numbered("Manga109/HR/T{}.png", 108)],
            "AisazuNihaIrarenai",
            "AisazuNihaIrarenai.png",
        )
        for scale in (2, 3, 4)
    },
    **{
        f"DIV2K-val-x{scale}": (
            [f"DIV2K/DIV2K_valid_HR/{number:04}.png" for number in range(801, 901)],
            "0801",
            "0801.png",
        )
        for scale in (2, 3, 4)
    },
    "Kodak24": (numbered("Kodak24/kodim{:02}.png", 24), "kodim01", "kodim01.png"),
    "CBSD68": (numbered("CBSD68/{:04}.png", 68), "0068", "0068.png"),
    "McMaster": (numbered("McMaster/{}.tif", 18), "18", "18.png"),
    "Set12": (numbered("Set12/{:02}.png", 12), "12", "12.png"),
    "LIVE1": (["LIVE1/woman.bmp", *numbered("LIVE1/b{}.bmp", 28)], "woman", "woman.png"),
    "Classic5": (["Classic5/baboon.bmp", *numbered("Classic5/{}.bmp", 4)], "baboon", "baboon.png"),
    "GoPro": (gopro(), "GOPR0384_11_00/000001", "GOPR0384_11_00/000001.png"),
    "HIDE": (hide(), "7fromGOPR0950", "7fromGOPR0950.png"),
    "RealBlur-J": (real_blur(J), "scene001/7", "scene001/7.png"),
    "RealBlur-R": (real_blur(R), "scene001/7", "scene001/7.png"),
    **{
        name: (
            numbered(name + "/norain-{:03}.png", 100)
            + numbered(name + "/rainy/rain-{:03}.png", 100),
            "001",
            "rain-001.png",
        )
        for name in ("Rain100L", "Rain100H")
    },
    "LOL": (
        [f"LOLdataset/eval15/{side}/{n}.png" for n in range(15) for side in ("high", "low")],
        "1",
        "1.png",
    ),
}


@pytest.fixture
def miniature(
    make_files: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        files = CASES[name][0]
        root = make_files("data", files)
        if name.startswith("RealBlur"):
            gt = [file.removeprefix("RealBlur/") for file in files if "/gt/" in file][:980]
            rows = [f"{file} {file.replace('gt', 'blur')}\n" for file in gt]
            short = name.replace("-", "_")
            (root / "RealBlur" / f"{short}_test_list.txt").write_text("".join(rows))
        monkeypatch.setenv("IQBENCH_DATA", str(root))
        return root

    return make


def test_every_packaged_folder_has_a_miniature_here_or_real_images() -> None:
    folders = {name for name, spec in SPECS.items() if spec.data.layout == "folder"}
    assert folders == {
        *CASES,
        *(f"{name}-x{scale}" for name in ("Set5", "Set14") for scale in (2, 3, 4)),
    }


@pytest.mark.parametrize("name", CASES)
def test_a_dataset_opens_and_finds_outputs(miniature, make_files, name: str) -> None:
    miniature(name)
    _, image, output = CASES[name]
    dataset = load_datasets(PACKAGED_FILE)[name].open()
    assert image in {sample.image for sample in dataset.samples}
    found = match_outputs(Method("mine", make_files("out", [output])), dataset, alone=True)
    assert list(found.outputs) == [image]
    assert found.extra == []


@pytest.mark.parametrize("name", ["GoPro", "Kodak24", "Rain100L"])
def test_one_missing_file_makes_a_dataset_unusable(miniature, name: str) -> None:
    root = miniature(name)
    dataset = load_datasets(PACKAGED_FILE)[name]
    Path(dataset.open().samples[0].reference.name).unlink()
    with pytest.raises(IqbenchError, match=rf"'{name}' has {dataset.images} reference images"):
        dataset.open()
    assert root.is_dir()


def test_what_is_missing_of_numbered_images_is_named(miniature) -> None:
    (miniature("Kodak24") / "Kodak24" / "kodim07.png").unlink()
    with pytest.raises(IqbenchError, match=r"but 23 were found; by its number kodim07 is missing"):
        load_datasets(PACKAGED_FILE)["Kodak24"].open()


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("RealBlur-J", f"{J}/scene001/gt/gt_7.png"),
        ("HIDE", "HIDE_dataset/GT/7fromGOPR0950.png"),
    ],
)
def test_a_missing_reference_is_named_where_inputs_or_lists_tell(
    miniature, name: str, file: str
) -> None:
    (miniature(name) / file).unlink()
    with pytest.raises(IqbenchError, match=r"missing: .*(gt_7\.png|7fromGOPR0950)\. C"):
        load_datasets(PACKAGED_FILE)[name].open()
