"""Results as one text file: complete, equal tables give equal bytes, damage is named."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_columns import as_stated
from made_manifest import MANIFEST

from iqbench.errors import IqbenchError
from iqbench.results.importing import import_values
from iqbench.results.read import load_columns, load_images, load_values
from iqbench.results.schema import ColumnInfo, ImageRow, ScoreRow, SetRow
from iqbench.results.store import Store
from iqbench.results.text_baseline import image_lines, results_folder, text_of_tables

COLUMNS = as_stated(
    {
        "psnr": ColumnInfo("higher", 2),
        "niqe": ColumnInfo("lower", 3),
        "tv-ratio": ColumnInfo("target:1", 3),
        "fid": ColumnInfo("lower", 3),
    }
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
VALUES = st.floats(allow_nan=False, width=32)
SCORES = st.dictionaries(
    st.tuples(NAMES, st.sampled_from(["psnr", "niqe", "tv-ratio"]), st.sampled_from("12")),
    VALUES,
    min_size=1,
    max_size=6,
)


def write(
    root: Path,
    values: dict[tuple[str, str, str], float],
    *,
    method: str = "mine",
    sets: list[SetRow] | None = None,
) -> Path:
    """Make a results folder of values by image, metric and version."""
    with Store(root).writer(MANIFEST, COLUMNS) as writer:
        for image in sorted({image for image, _, _ in values}):
            row = ImageRow("set5", method, image, f"r{image}", f"o{image}")
            writer.add_image(row)
            writer.add_scores(
                ScoreRow(
                    *("set5", method, image, metric, value, None),
                    *(f"metric={metric}|version={version}", "rgb", row.pair),
                )
                for (name, metric, version), value in sorted(values.items())
                if name == image
            )
        writer.write_sets(sets or [])
    return root


def text_of(root: Path) -> str:
    tables = (*load_values(root), load_images(root))
    return text_of_tables(lambda: [tables], load_columns(root))


def written(root: Path, text: str) -> Path:
    path = root / "baseline.jsonl"
    path.write_text(text, encoding="utf-8", newline="")
    return path


def a_set(value: float = 12.5) -> SetRow:
    return SetRow(
        *("set5", "mine", "fid", value, 0.25, None, "metric=fid|version=1|set=references", "rgb"),
        *(2, 2, "any", "references of the outputs", 2, [12.0, 13.0]),
    )


@settings(max_examples=10)
@given(values=SCORES)
def test_rows_are_read_back_as_written(
    values: dict[tuple[str, str, str], float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("round")
    results = write(root / "results", values)
    text = text_of(results)
    with results_folder(written(root, text)) as folder:
        assert text_of(folder) == text  # equal tables, equal bytes
        scores, _ = load_values(folder)
        told = load_columns(folder)
    found = {
        (row.image, row.metric, row.signature[-1]): row.value
        for row in scores.itertuples(index=False)
    }
    assert found == pytest.approx(values, rel=1e-11, abs=0)
    for metric in {metric for _, metric, _ in values}:
        assert told[metric].direction == COLUMNS[metric].direction
        assert told[metric].margin == COLUMNS[metric].margin


def test_one_line_an_image_in_the_order_of_their_names(tmp_path: Path) -> None:
    values = {("b", "psnr", "1"): 31.25, ("a", "psnr", "1"): math.inf, ("a", "niqe", "1"): 4.5}
    lines = [json.loads(line) for line in text_of(write(tmp_path, values)).splitlines()]
    assert lines[0] == {"iqbench": "baseline", "format": 1}
    assert [line["column"] for line in lines[1:3]] == ["niqe", "psnr"]
    assert lines[3:] == [
        {
            **{"dataset": "set5", "method": "mine", "image": "a"},
            **{"values": {"niqe": 4.5, "psnr": "inf"}, "reference": "ra", "output": "oa"},
        },
        {
            **{"dataset": "set5", "method": "mine", "image": "b"},
            **{"values": {"psnr": 31.25}, "reference": "rb", "output": "ob"},
        },
    ]


def test_a_text_of_one_dataset_after_the_other_is_that_of_all(tmp_path: Path) -> None:
    with Store(tmp_path).writer(MANIFEST, COLUMNS) as writer:
        for dataset, metric in (("set5", "psnr"), ("Set14", "niqe"), ("set5", "niqe")):
            row = ImageRow(dataset, "mine", "a", "ra", "oa")
            writer.add_image(row)
            text = f"metric={metric}|version=1"
            value = ScoreRow(dataset, "mine", "a", metric, 1.5, None, text, "rgb", row.pair)
            writer.add_scores([value])
            writer.write_sets([replace(a_set(), dataset=dataset)])
    (scores, sets), images = load_values(tmp_path), load_images(tmp_path)
    parts = [
        (
            scores[scores["dataset"] == dataset],
            sets[sets["dataset"] == dataset],
            images[images["dataset"] == dataset],
        )
        for dataset in ("Set14", "set5")
    ]
    assert text_of_tables(lambda: iter(parts), load_columns(tmp_path)) == text_of(tmp_path)


def test_imported_values_state_no_protocol_and_come_back(tmp_path: Path) -> None:
    table = tmp_path / "niqe.csv"
    table.write_text("dataset,method,image,niqe\nset5,mine,a,3.5\nset5,mine,b,inf\n")
    root = tmp_path / "imported"
    import_values(table, root, directions={"niqe": "lower"})
    params = tmp_path / "params.csv"
    params.write_text("method,params\nmine,1000000\n")
    import_values(params, root)
    with results_folder(written(tmp_path, text_of(root))) as folder:
        scores, sets = load_values(folder)
        assert load_columns(folder).info("niqe").direction == "lower"
    assert dict(zip(scores["image"], scores["value"], strict=True)) == {"a": 3.5, "b": math.inf}
    assert list(sets["value"]) == [1e6]
    assert set(scores["protocol"]) == set(sets["protocol"]) == {""}


def test_two_versions_of_a_metric_are_two_columns(tmp_path: Path) -> None:
    values = {("a", "psnr", "1"): 31.0, ("a", "psnr", "2"): 32.0}
    path = written(tmp_path, text_of(write(tmp_path / "results", values)))
    assert json.loads(path.read_text("utf-8").splitlines()[-1])["values"] == {
        "psnr [version=1]": 31.0,
        "psnr [version=2]": 32.0,
    }


def test_values_of_sets_keep_what_a_check_needs(tmp_path: Path) -> None:
    values = {("a", "psnr", "1"): 31.0, ("b", "psnr", "1"): 32.0}
    results = write(tmp_path / "results", values, sets=[a_set()])
    with results_folder(written(tmp_path, text_of(results))) as folder:
        pairs = [load_values(root)[1] for root in (results, folder)]
    replicates = [list(one.pop("replicates").iloc[0]) for one in pairs]
    assert replicates == [[12.0, 13.0]] * 2
    pd.testing.assert_frame_equal(*pairs)


def test_lines_of_images_are_found(tmp_path: Path) -> None:
    values = {("b", "psnr", "1"): 31.0, ("a", "psnr", "1"): 32.0}
    path = written(tmp_path, text_of(write(tmp_path / "results", values)))
    assert image_lines(path) == {("set5", "mine", "a"): 3, ("set5", "mine", "b"): 4}


def test_line_ends_of_windows_are_read(tmp_path: Path) -> None:
    text = text_of(write(tmp_path / "results", {("a", "psnr", "1"): 31.0}))
    with results_folder(written(tmp_path, text.replace("\n", "\r\n"))) as folder:
        assert text_of(folder) == text


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_byte_order_mark_is_passed_over(tmp_path: Path, mark: str) -> None:
    text = text_of(write(tmp_path / "results", {("a", "psnr", "1"): 31.0}))
    path = written(tmp_path, mark + text)
    with results_folder(path) as folder:
        assert text_of(folder) == text
    assert image_lines(path) == {("set5", "mine", "a"): 3}


IMAGE = (
    '{"dataset": "d", "method": "m", "image": "a", "values": {"psnr": 1.0},'
    ' "reference": "r", "output": "o"}'
)
COLUMN = (
    '{"column": "psnr", "metric": "psnr", "signature": "metric=psnr", "protocol": "rgb",'
    ' "direction": "higher"}'
)
HEAD = '{"iqbench": "baseline", "format": 1}'


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "its first line does not say so"),
        (["dataset,method,image,psnr"], "its first line does not say so"),
        (['{"iqbench": "baseline", "format": 2}'], "is of format 2, and this release reads"),
        ([HEAD, "<<<<<<< HEAD"], "line 2, cannot be read"),
        ([HEAD, "[]"], "line 2, cannot be read: it is not a JSON object"),
        ([HEAD, "{}"], "line 2, cannot be read: it describes no column, image or set"),
        ([HEAD, "1"], "line 2, cannot be read: it is not a JSON object"),
        ([HEAD, IMAGE], "line 2, cannot be read: no line before it describes the column 'psnr'"),
        (
            [HEAD, COLUMN, IMAGE, IMAGE],
            "line 4, cannot be read: an earlier line describes the same",
        ),
        ([HEAD, COLUMN, COLUMN], "line 3, cannot be read: an earlier line describes the same"),
        *(
            ([HEAD, COLUMN, IMAGE.replace("1.0", value)], "line 3, cannot be read: values.psnr")
            for value in ('"nan"', '"much"', '"1"', "NaN", "Infinity", "1e999", "true", "null")
        ),
        ([HEAD, COLUMN, IMAGE.replace("1.0", "9" * 400)], "line 3, cannot be read: values.psnr"),
        ([HEAD, COLUMN, IMAGE.replace("1.0", '1.0, "psnr": 2.0')], "'psnr' occurs twice"),
        ([HEAD, COLUMN, IMAGE.replace('"m"', '""')], "line 3, cannot be read: method"),
        ([HEAD, COLUMN, IMAGE.replace('"reference"', '"r"')], "reference: Field required"),
        ([HEAD, COLUMN, IMAGE.replace('"output"', '"o"')], "output: Field required"),
        ([HEAD, COLUMN.replace("metric=psnr", "psnr")], "line 2, cannot be read: Value error, not"),
        ([HEAD], "holds no images"),
        ([HEAD, COLUMN], "holds no images"),
        ([HEAD, COLUMN.replace("higher", "up")], "no such direction: 'up'"),
        ([HEAD, "[" * 100_000], "line 2, cannot be read"),
    ],
)
def test_damage_is_named_with_its_line(tmp_path: Path, lines: list[str], message: str) -> None:
    path = written(tmp_path, "".join(f"{line}\n" for line in lines))
    with pytest.raises(IqbenchError, match=r"baseline\.jsonl") as raised, results_folder(path):
        pass
    assert message in str(raised.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "baseline.jsonl"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(IqbenchError, match="cannot read the baseline"), results_folder(path):
        pass
