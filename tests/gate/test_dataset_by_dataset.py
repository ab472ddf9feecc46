"""Reading dataset by dataset gives the same verdicts as reading everything at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_columns import as_stated
from made_manifest import MANIFEST

from iqbench.errors import IqbenchError
from iqbench.gate.check import check, check_parts
from iqbench.gate.compare import compare, compare_parts
from iqbench.gate.compared_scores import compared_datasets, methods_by_dataset
from iqbench.gate.matching import Scored
from iqbench.results.read import load_columns, load_images, load_values
from iqbench.results.schema import ColumnInfo, ImageRow, ScoreRow
from iqbench.results.store import Store

COLUMNS = as_stated({"psnr": ColumnInfo("higher", 2), "lpips-alex": ColumnInfo("lower", 4)})
DATASETS = {"Set5": 9, "a set": 7, "set14": 8}


def rows(method: str, dataset: str, loss: float, version: str) -> Iterator[ImageRow | ScoreRow]:
    """Rows of a method; one image is lost, one undefined, one infinite."""
    random = np.random.default_rng([len(method), len(dataset)])
    for number in range(DATASETS[dataset]):
        image = f"{number}"
        reference = "other" if loss and number == 1 else f"r{number}"
        output = None if loss and number == 2 else f"{method}{number}{loss}"
        row = ImageRow(dataset, method, image, reference, output, error=None if output else "gone")
        yield row
        for metric in COLUMNS if output else ():
            value = random.normal(30, 3) - loss
            text = f"metric={metric}|version={version}|protocol=rgb/1"
            yield ScoreRow(
                *(dataset, method, image, metric, np.inf if number == 3 else value, None),
                *(text, "rgb", row.pair),
            )


def written(root: Path, methods: dict[str, float], left_out: str = "", version: str = "1") -> Path:
    with Store(root).writer(MANIFEST, COLUMNS) as writer:
        for method, loss in methods.items():
            for dataset in DATASETS:
                for row in rows(method, dataset, loss, version) if dataset != left_out else ():
                    if isinstance(row, ImageRow):
                        writer.add_image(row)
                    else:
                        writer.add_scores([row])
    return root


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A baseline, and a candidate that lacks a dataset, renames a method and has a new one."""
    root = tmp_path_factory.mktemp("sides")
    old = written(root / "old", {"edsr": 0.0, "swinir": 0.0, "old": 0.0}, left_out="set14")
    new = written(root / "new", {"edsr": 0.5, "renamed": 0.0, "new": 0.0}, left_out="Set5")
    written(new, {"old": 0.0}, version="2")
    return old, new


def side(folder: Path, first: tuple[str, ...], **names: set[str]) -> Scored:
    """Read all of a folder at once, and keep the rows that have some names."""
    scores, sets = load_values(folder)
    for key, wanted in names.items():
        scores = scores[scores[key].isin(wanted)]
    return Scored(scores, load_images(folder), load_columns(folder).leading(first), sets)


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        ({}, ({}, {})),
        (
            {"method": ("edsr", "renamed")},
            ({"method": {"edsr", "swinir"}}, {"method": {"edsr", "renamed"}}),
        ),
        (
            {"dataset": ("a set",), "metric": ("psnr",)},
            ({"dataset": {"a set"}, "metric": {"psnr"}},) * 2,
        ),
    ],
    ids=["all", "methods", "a dataset"],
)
def test_a_check_and_a_comparison_say_the_same(folders, filters, kept):
    renamed, methods = ["swinir=renamed"], {"swinir": "renamed"}
    first = filters.get("metric", ())
    whole = [side(folder, first, **names) for folder, names in zip(folders, kept, strict=True)]
    with compared_datasets(*folders, filters, renamed) as sides:
        checked = check_parts(sides.parts(), methods=sides.methods)
        compared = compare_parts(sides.parts(), methods=sides.methods)
    told = check(*whole, methods=methods)
    assert set(told.rows["verdict"]) & {"missing", "not comparable"}
    for found, expected in (
        (checked, told),
        (compared, compare(*whole, methods=methods)),
    ):
        pd.testing.assert_frame_equal(found.rows, expected.rows)
        pd.testing.assert_frame_equal(found.new, expected.new)
        pairs = [one.pairs.astype(object).reset_index(drop=True) for one in (found, expected)]
        pd.testing.assert_frame_equal(*pairs)
        assert found.columns == expected.columns


def test_two_methods_of_a_folder(folders):
    new = folders[1]
    with methods_by_dataset(new, "edsr", "new", {"metric": ("psnr",)}) as sides:
        found = compare_parts(sides.parts(), methods=sides.methods).rows
    assert found["dataset"].tolist() == ["a set", "set14"]
    assert set(found["metric"]) == {"psnr"}
    assert (found["n"] == [5, 6]).all()


@pytest.mark.parametrize(
    ("filters", "renamed", "told"),
    [
        ({"method": ("edsrr",)}, [], "method 'edsrr'"),
        ({"dataset": ("set6",)}, [], "dataset 'set6'"),
        ({"metric": ("ssim",)}, [], "ssim"),
        ({}, ["edsrr=new"], "method of the baseline 'edsrr'"),
        ({}, ["edsr=newer"], "method 'newer'"),
        ({}, ["edsr"], "names one method"),
    ],
)
def test_names_that_are_not_there_are_refused(folders, filters, renamed, told):
    with (
        pytest.raises(IqbenchError, match=told),
        compared_datasets(*folders, filters, renamed) as sides,
    ):
        check_parts(sides.parts(), methods=sides.methods)
    with (
        pytest.raises(IqbenchError, match="nobody"),
        methods_by_dataset(folders[1], "edsr", "nobody", {}) as sides,
    ):
        compare_parts(sides.parts(), methods=sides.methods)
