"""`iqbench.check` and `iqbench.compare` give the same in Python as on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from made_columns import as_stated
from made_manifest import MANIFEST

import iqbench
from iqbench.errors import IqbenchError
from iqbench.results.schema import ColumnInfo, ImageRow, ScoreRow
from iqbench.results.store import Store

COLUMNS = as_stated({"psnr": ColumnInfo("higher", 2), "ssim": ColumnInfo("higher", 4)})
OLD = [28.0, 29.5, 31.0, 32.5, 34.0, 33.0, 32.0, 31.5]
JITTERING = [value + 0.02 * (-1) ** place for place, value in enumerate(OLD)]


def write(root: Path, values: Sequence[float], method: str = "edsr") -> Path:
    with Store(root).writer(MANIFEST, COLUMNS) as writer:
        for image, value in zip("abcdefgh", values, strict=True):
            row = ImageRow("set5", method, image, "reference", f"{method}{value}")
            writer.add_image(row)
            writer.add_scores(
                [
                    ScoreRow(
                        *("set5", method, image, metric, score, None),
                        f"metric={metric}|version=1|view=rgb",
                        "rgb",
                        row.pair,
                    )
                    for metric, score in (("psnr", value), ("ssim", 0.9))
                ]
            )
    return root


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return write(tmp_path / "old", OLD)


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """One image collapses, the others jitter."""
    return write(tmp_path / "new", [*JITTERING[:-1], 14.9])


def test_a_check_that_fails_says_why(old: Path, new: Path) -> None:
    found = iqbench.check(new, baseline=old)
    assert not found.passed
    assert found.why() == "1 worse, 1 same"
    assert found.rows["reason"].tolist() == ["image", ""]
    assert iqbench.check(str(old), baseline=str(old)).passed


@pytest.mark.parametrize(
    ("options", "passed"),
    [
        ({"image_margins": {"psnr": 17}}, True),
        ({"image_margins": {"psnr": 16}}, False),
        ({"image_margins": {"psnr": "60%"}}, True),
        ({"image_margins": {"psnr": None}}, True),
        ({"image_margins": {"psnr": "none"}}, True),
        ({"image_margins": {"ssim": None}}, False),
        ({"image_margins": "none"}, True),
        ({"margins": {"psnr": 3}}, True),
        ({"filters": {"metric": "ssim"}}, True),
        ({"filters": {"metric": ["psnr", "ssim"]}}, False),
    ],
)
def test_margins_and_filters(old: Path, new: Path, options: dict[str, Any], passed: bool) -> None:
    assert iqbench.check(new, baseline=old, **options).passed is passed


def test_what_is_missing_may_be_allowed(old: Path) -> None:
    write(old, OLD, method="swin")
    new = write(old.parent / "less", OLD)
    assert not iqbench.check(new, baseline=old).passed
    assert iqbench.check(new, baseline=old, allow=["missing"]).passed


def test_methods_may_have_another_name(old: Path) -> None:
    new = write(old.parent / "renamed", OLD, method="edsr-v2")
    found = iqbench.check(new, baseline=old, methods={"edsr": "edsr-v2"})
    assert found.passed
    rows = iqbench.compare(old, new, methods={"edsr": "edsr-v2"}).rows
    assert rows["ties"].tolist() == [8, 8]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"margins": {"pnsr": 1}}, "unknown metric of margins 'pnsr'. Did you mean 'psnr'"),
        ({"margins": {"psnr": "much"}}, "margins psnr=much has no number of at least 0"),
        ({"image_margins": {"psnr": -1}}, "image_margins psnr=-1 has no number of at least 0"),
        ({"image_margins": "off"}, "unknown metric of image_margins 'off'"),
        ({"allow": ["mising"]}, "unknown verdict of allow 'mising'. Did you mean 'missing'"),
        ({"alpha": 1.5}, "alpha is 1.5"),
        ({"filters": {"metrics": "psnr"}}, "unknown filter 'metrics'. Did you mean 'metric'"),
        ({"methods": {"esdr": "edsr"}}, "unknown method of the baseline 'esdr'"),
    ],
)
def test_wrong_arguments_are_named(
    old: Path, new: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(IqbenchError) as caught:
        iqbench.check(new, baseline=old, **options)
    assert message in f"{caught.value}. {caught.value.hint}"


def test_two_runs_are_compared(old: Path, new: Path) -> None:
    rows = iqbench.compare(old, new, filters={"metric": "psnr"}).rows
    assert rows["n"].tolist() == [8]
    assert rows["losses"].tolist() == [4]
