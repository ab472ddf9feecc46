"""The committed baseline guards the project: the demo's scores are still what they were.

A difference in the last bits, by another processor or version of a library, is not a regression:
the margins of `iqbench check` are far above it.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
from click.testing import CliRunner, Result

from iqbench.api import Evaluation, run_evaluation
from iqbench.cli.check import check
from iqbench.datasets.load import PACKAGED_FILE
from iqbench.demo.outputs import DATASETS, make_outputs

BASELINE = Path(__file__).parents[1] / "results/baseline"


def evaluate(folder: Path) -> None:
    """Score what is in ``outputs``, as the command in docs/ci.md does."""
    run_evaluation(
        Evaluation(
            methods_in=folder / "outputs",
            datasets=DATASETS,
            datasets_file=PACKAGED_FILE,
            metrics=("psnr", "ssim", "tv"),
            results=folder / "results",
            device="cpu",
            workers=2,
        )
    )


def checked(folder: Path, *options: str) -> Result:
    arguments = [str(folder / "results"), "--baseline", str(BASELINE), *options]
    return CliRunner().invoke(check, arguments, catch_exceptions=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo, made and scored again."""
    made = tmp_path_factory.mktemp("demo")
    make_outputs(made)
    evaluate(made)
    return made


def test_the_baseline_is_small() -> None:
    files = [path for path in BASELINE.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".parquet"}
    assert sum(path.stat().st_size for path in files) < 600_000


def test_the_demo_scores_as_it_did(folder: Path) -> None:
    ran = checked(folder, "--rows", "all")
    assert ran.exit_code == 0, ran.output
    assert "Regression check passed: " in ran.output
    # 4 tasks, 6 methods each, 10 columns; nothing may be missing or new.
    rows = [line for line in ran.output.splitlines() if line.split(" ")[0] in ("same", "changed")]
    assert len(rows) == 240
    assert "New, not in the baseline" not in ran.output


def test_a_planted_fault_turns_it_red(folder: Path) -> None:
    """One method's outputs of one dataset are blurred, as by a wrong kernel."""
    for path in (folder / "outputs/wiener/demo-deblur").glob("*.png"):
        pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path), cv2.GaussianBlur(pixels, (0, 0), 1.0))
    evaluate(folder)
    ran = checked(folder)
    assert ran.exit_code == 1, ran.output
    worse = [line.split()[1:3] for line in ran.output.splitlines() if line.startswith("worse ")]
    assert ["wiener", "psnr"] in worse
    assert ["wiener", "ssim"] in worse
    assert {method for method, _ in worse} == {"wiener"}
