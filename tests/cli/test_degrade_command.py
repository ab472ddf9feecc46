"""`iqbench degrade`: standard inputs from references."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from needs import SHARED, needs

from iqbench.cli.degrade import degrade
from iqbench.errors import IqbenchError
from iqbench.images.resize import imresize_uint8
from iqbench.images.source import FileSource
from iqbench.images.write import write_png

DATA = SHARED / "data/Set5"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(
        degrade, [str(argument) for argument in arguments], catch_exceptions=False
    )


@pytest.fixture
def references(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (33, 40, 3), dtype=np.uint8)
    write_png(tmp_path / "hr" / "a.png", pixels)
    write_png(tmp_path / "hr" / "b.png", pixels[:32])
    return tmp_path / "hr"


def test_says_what_it_did_on_stderr(references: Path, tmp_path: Path) -> None:
    done = run("bicubic:scale=4", references, "-o", tmp_path / "lr", "--modcrop", tmp_path / "x4")
    assert done.exit_code == 0
    assert done.stdout == ""
    assert "2 images made by bicubic:scale=4" in done.stderr
    assert "1 reference cut to a multiple of 4 first; what was left is in" in done.stderr
    assert sorted(path.name for path in (tmp_path / "lr").iterdir()) == ["a.png", "b.png"]
    assert FileSource(tmp_path / "x4" / "a.png").read().decode().height == 32


def test_ends_with_3_where_some_images_fail(references: Path, tmp_path: Path) -> None:
    (references / "c.png").write_bytes(b"no image")
    done = run("jpeg:quality=30", references, "-o", tmp_path / "lr")
    assert done.exit_code == 3
    assert "failed: c:" in done.stderr
    assert "2 images" in done.stderr


def test_wrong_input_computes_nothing(references: Path, tmp_path: Path) -> None:
    with pytest.raises(IqbenchError, match="unknown degradation"):
        run("noize:sigma=25", references, "-o", tmp_path / "lr")
    assert run("noise:sigma=25", references).exit_code == 2
    assert not (tmp_path / "lr").exists()


def test_the_seed_chooses_the_noise(references: Path, tmp_path: Path) -> None:
    for seed, folder in (("0", "first"), ("0", "second"), ("1", "third")):
        run("blur:sigma=1,noise=5", references, "-o", tmp_path / folder, "--seed", seed)
    first, second, third = (
        (tmp_path / name / "a.png").read_bytes() for name in ("first", "second", "third")
    )
    assert first == second != third


@needs(DATA)
def test_set5_comes_out_bit_exact(tmp_path: Path) -> None:
    assert run("bicubic:scale=3", DATA / "HR_x3", "-o", tmp_path).exit_code == 0
    for stored in (DATA / "LR_bicubic_x3").iterdir():
        made, published = (
            FileSource(path).read().decode().pixels for path in (tmp_path / stored.name, stored)
        )
        np.testing.assert_array_equal(made, published)


@pytest.mark.parametrize("filter", ["nearest", "bilinear", "bicubic", "lanczos2", "lanczos3"])
def test_upscale_enlarges_every_image(filter: str, references: Path, tmp_path: Path) -> None:
    done = run(f"upscale:scale=3,filter={filter}", references, "-o", tmp_path / "up")
    assert done.exit_code == 0
    assert f"2 images made by upscale:scale=3,filter={filter}" in done.stderr
    made = FileSource(tmp_path / "up" / "a.png").read().decode().pixels
    given = FileSource(references / "a.png").read().decode().pixels
    np.testing.assert_array_equal(made, imresize_uint8(given, scale=3, filter=filter))


def test_upscale_is_bicubic_by_default_and_lanczos_has_three_lobes(
    references: Path, tmp_path: Path
) -> None:
    for short, long in (("", ",filter=bicubic"), (",filter=lanczos", ",filter=lanczos3")):
        for name, options in (("short", short), ("long", long)):
            run(f"upscale:scale=2{options}", references, "-o", tmp_path / name)
        one, other = ((tmp_path / name / "a.png").read_bytes() for name in ("short", "long"))
        assert one == other


def test_an_image_that_would_be_too_large_is_named(
    references: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IQBENCH_MAX_PIXELS", "5200")  # b has 32x40, four times as many is 5120
    done = run("upscale:scale=2", references, "-o", tmp_path / "up")
    assert done.exit_code == 3
    assert "failed: a: enlarged by 2, the image would have 80x66 pixels, more than 5,200" in (
        done.stderr
    )
    assert [path.name for path in (tmp_path / "up").iterdir()] == ["b.png"]


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("upscale", "degradation 'upscale' needs its option 'scale'"),
        ("upscale:scale=0", "greater than or equal to 1"),
        ("upscale:scale=2,filter=sinc", "filter of degradation 'upscale'"),
        ("upscale:scale=2,kernel=bicubic", "unknown option of degradation 'upscale'"),
    ],
)
def test_an_upscale_that_makes_no_sense_is_refused(
    spec: str, problem: str, references: Path, tmp_path: Path
) -> None:
    with pytest.raises(IqbenchError, match=problem):
        run(spec, references, "-o", tmp_path / "up")


def test_the_help_has_examples() -> None:
    assert "iqbench degrade noise:sigma=25 clean/ -o noisy/ --seed 1" in run("--help").stdout
