"""`iqbench degrade`: standard inputs from references."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from needs import SHARED, needs

from iqbench.cli.degrade import degrade
from iqbench.errors import IqbenchError
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
    assert "2 images degraded by bicubic:scale=4" in done.stderr
    assert "1 references were cut to a multiple of 4 first; what was left is in" in done.stderr
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


def test_the_help_has_examples() -> None:
    assert "iqbench degrade noise:sigma=25 clean/ -o noisy/ --seed 1" in run("--help").stdout
