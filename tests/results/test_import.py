"""Imported values are added to the tables, tied to the same files; errors name the problem."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from made_folders import Made

import iqbench
from iqbench.boards.board import read_board
from iqbench.cli.import_values import import_values as command
from iqbench.cli.main import cli
from iqbench.errors import IqbenchError
from iqbench.results.foreign import read_foreign
from iqbench.results.importing import import_values
from iqbench.results.read import load_columns, load_scores
from iqbench.results.signature import parse_signature

IMAGES = "a", "b", "c"
VALUES = {("near", "a"): 1.5, ("near", "b"): 2.5, ("near", "c"): 3.5, ("far", "a"): 4.0}


@pytest.fixture
def made(tmp_path):
    made = Made(tmp_path)
    made.references()
    made.method("near", amount=3)
    made.method("far", amount=9)
    made.evaluate(metrics=("psnr",))
    return made


def long(path, values=VALUES, **more):
    rows = [
        {"method": method, "image": image, "metric": "musiq", "value": value, **more}
        for (method, image), value in values.items()
    ]
    frame = pd.DataFrame(rows)
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return path


def imported(results, metric="musiq"):
    scores = load_scores(results)
    rows = scores[(scores["metric"] == metric) & scores["value"].notna()]
    keys = zip(rows["method"].astype(str), rows["image"].astype(str), strict=True)
    return dict(zip(keys, rows["value"], strict=True))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_every_format_gives_the_same_values(made, tmp_path, suffix):
    file = long(tmp_path / f"musiq{suffix}", direction="higher")
    found = import_values(file, made.results)
    assert (found.values, found.missing, found.notes) == (4, 0, [])
    assert imported(made.results) == VALUES
    assert load_columns(made.results)["musiq"].direction == "higher"


def test_a_wide_file_has_a_column_a_metric(made, tmp_path):
    file = tmp_path / "wide.csv"
    file.write_text("Image;Method;musiq;runtime\na.png;near;1;.5\nb.png;near;2;\n")
    found = import_values(file, made.results, directions={"musiq": "higher"})
    assert (found.values, found.missing) == (3, 1)
    assert imported(made.results) == {("near", "a"): 1, ("near", "b"): 2}
    assert imported(made.results, "runtime") == {("near", "a"): 0.5}
    columns = load_columns(made.results)
    assert (columns["runtime"].role, columns["runtime"].direction) == ("cost", "lower")
    scores = load_scores(made.results)
    error = scores[(scores["metric"] == "runtime") & (scores["image"] == "b")]["error"].iloc[0]
    assert error == f"no value in {file}, line 3"


def test_a_value_is_signed_as_foreign_with_the_digest_of_its_file(made, tmp_path):
    file = long(tmp_path / "musiq.csv", protocol="rgb")
    import_values(file, made.results)
    scores = load_scores(made.results)
    fields = parse_signature(scores.loc[scores["metric"] == "musiq", "signature"].iloc[0])
    digest = read_foreign(file).digest[:12]
    assert fields == {
        "metric": "musiq",
        "source": "imported",
        "file": f"musiq.csv:{digest}",
        "protocol": "rgb",
    }


def test_a_value_goes_when_its_image_changes(made, tmp_path):
    import_values(long(tmp_path / "musiq.csv"), made.results)
    made.method("near", images=["b"], amount=5)
    made.evaluate(metrics=("psnr",))
    assert set(imported(made.results)) == set(VALUES) - {("near", "b")}


def test_another_import_replaces_the_metric_of_the_same_methods(made, tmp_path):
    import_values(long(tmp_path / "one.csv"), made.results)
    fresh = {("near", image): 9.0 for image in "ab"}
    import_values(long(tmp_path / "two.csv", fresh), made.results)
    assert imported(made.results) == {**fresh, ("far", "a"): 4.0}
    assert import_values(long(tmp_path / "two.csv", fresh), made.results).values == 2
    assert imported(made.results) == {**fresh, ("far", "a"): 4.0}


def test_values_of_several_files_are_compared(made, tmp_path):
    for method, value in (("near", 3.0), ("far", 1.0)):
        values = {(method, image): value for image in IMAGES}
        import_values(long(tmp_path / f"{method}.csv", values, direction="higher"), made.results)
    board = read_board(made.results, {}, sort="musiq").table.frame.set_index("method")
    assert board["musiq_rank"].to_dict() == {"near": 1, "far": 2}
    together = read_board(made.results, {}, shown=["musiq"]).datasets[0].scores
    assert together.headings == ["musiq"]


def test_a_check_compares_values_of_several_files(made, tmp_path):
    results = []
    for name, value in (("old", 3.0), ("new", 1.0)):
        results.append(tmp_path / name)
        shutil.copytree(made.results, results[-1])
        values = {("near", image): value for image in IMAGES}
        import_values(long(tmp_path / f"{name}.csv", values, direction="higher"), results[-1])
    rows = iqbench.check(results=results[1], baseline=results[0]).rows
    (found,) = rows[rows["metric"] == "musiq"].to_dict("records")
    assert (found["baseline"], found["candidate"], found["n"]) == (3, 1, 3)


def test_the_tables_values_stay(made, tmp_path):
    before = imported(made.results, "psnr")
    import_values(long(tmp_path / "musiq.csv"), made.results)
    assert imported(made.results, "psnr") == before
    again = made.evaluate(metrics=("psnr",))
    assert (again.scored, again.current) == (0, 6)


def test_a_dataset_without_images_here_is_taken_as_it_is(tmp_path):
    values = {(method, image): float(len(method)) for method in ("x", "yy") for image in IMAGES}
    import_values(
        long(tmp_path / "musiq.csv", values, direction="higher"), tmp_path / "r", dataset="Set"
    )
    board = read_board(tmp_path / "r", {}).table.frame.set_index("method")
    assert board["musiq"].to_dict() == {"x": 1.0, "yy": 2.0}
    assert board["rank"].to_dict() == {"x": 2, "yy": 1}


def test_costs_of_methods_hold_whatever_the_images(made, tmp_path):
    file = tmp_path / "costs.csv"
    file.write_text("method,params,flops\nnear,10,1e9\nfar,3,2e9\n")
    found = import_values(file, made.results)
    assert found.columns["params"].role == "cost"
    made.method("near", images=["b"], amount=5)
    made.evaluate(metrics=("psnr",))
    board = read_board(made.results, {}, sort="params", front=("psnr", "params"))
    frame = board.table.frame.set_index("method")
    assert frame["params"].to_dict() == {"near": 10, "far": 3}
    assert frame["rank"].to_dict() == {"near": 2, "far": 1}
    assert frame["front"].to_dict() == {"near": True, "far": True}
    assert frame["complete"].all()
    file.write_text("method,params\nnear,11\n")
    import_values(file, made.results)
    frame = read_board(made.results, {}).table.frame.set_index("method")
    assert frame["params"].to_dict() == {"near": 11, "far": 3}
    assert [name for name in frame if name.startswith("params [")] == []


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("f.csv", "image,method,m\nab,near,3\n", "line 2: unknown image of dataset 'hr' 'ab'"),
        ("f.csv", "image,method,m\na,near,3x\n", "line 2: m is not a number: '3x'"),
        ("f.csv", "image,method,m\na,near,1_0\n", "line 2: m is not a number: '1_0'"),
        ("f.csv", "image,method,m\na,near,1e999\n", "line 2: m is too large for a number"),
        ("f.csv", "image,method,t [s]\na,near,1\n", "f.csv: the metric 't [s]' has a bracket"),
        ("f.csv", "image,method,metric,value\na,near,t [s],1\n", "line 2: the metric 't [s]'"),
        (
            "f.csv",
            "image,method,m\na,near,1\n\na.png,near,2\n",
            "line 4: m of near / a is already given in",
        ),
        ("f.csv", "image,method,m\na,near\n", "line 2: 2 cells, but the header has 3"),
        ("f.csv", "image,m,m\na,1,2\n", "line 1: two columns are called 'm'"),
        ("f.csv", 'image,method,m\n"a,near,1\n', "line 2: unexpected end of data"),
        ("f.csv", "image,m\na,1\n", "line 2: no method is named"),
        ("f.csv", "image,method,m\n,near,1\n", "line 2: no image is named"),
        ("f.csv", "image,method,value\na,near,1\n", "a column of values, but no column that names"),
        ("f.csv", "image,method,m\n", "has no rows"),
        ("f.csv", "method,m\nner,1\n", "line 2: unknown method 'ner'. Did you mean 'near'?"),
        ("f.csv", "method,m\nnear,1\nnear,2\n", "line 3: m of near has a value already"),
        ("f.csv", "image,method,m\na,near,\0\n", "line 2: a zero byte, so this is not text"),
        ("f.csv", "image,method,m,direction\na,near,1,up\n", "no such direction of m: 'up'"),
        (
            "f.csv",
            "image,method,m,direction\na,near,1,lower\nb,near,1,higher\n",
            "line 3: the direction of m is 'higher' here and 'lower' elsewhere",
        ),
        (
            "f.csv",
            "image,method,psnr,direction\na,near,1,lower\n",
            "psnr is 'higher' in",
        ),
        ("f.jsonl", '{"image": "a"}\nnope\n', "line 2: not valid JSON"),
        (
            "f.jsonl",
            '{"image": "a", "method": "near", "m": 1, "m": 2}',
            "line 1: not valid JSON: 'm' occurs twice",
        ),
        ("f.jsonl", '{"image": "a", "method": "near", "m": -1e999}', "-1e999 is too large"),
        ("f.jsonl", "[1]\n", "line 1: not an object"),
        ("f.jsonl", '{"image": "a", "method": "near", "m": [1]}', "line 1: m is not a number"),
        ("f.jsonl", '{"image": "a", "method": "near", "m": true}', "line 1: m is not a number"),
        ("f.jsonl", '{"image": {}, "method": "near", "m": 1}', "line 1: the image is not text"),
        ("f.parquet", "not Parquet", "cannot read"),
        ("f.xlsx", "", "cannot tell the format of"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(made, tmp_path, name, text, message):
    before = load_scores(made.results)
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(IqbenchError) as caught:
        import_values(file, made.results)
    assert message in str(caught.value)
    pd.testing.assert_frame_equal(load_scores(made.results), before)


@given(content=st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
@settings(max_examples=150)
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_any_bytes_give_values_or_a_sentence(tmp_path_factory, suffix, content):
    file = tmp_path_factory.getbasetemp() / f"any{suffix}"
    file.write_bytes(content)
    try:
        found = read_foreign(file)
    except IqbenchError:
        return
    assert all(value.value is None or not np.isnan(value.value) for value in found.values)


def test_an_image_that_could_not_be_scored_has_no_file_to_be_tied_to(made, tmp_path):
    (made.root / "out" / "near" / "a.png").unlink()
    made.evaluate(metrics=("psnr",))
    with pytest.raises(IqbenchError, match="the tables have no file of near / a"):
        import_values(long(tmp_path / "musiq.csv"), made.results)


def test_the_command(made, tmp_path):
    file = long(tmp_path / "scores.csv")
    ran = CliRunner().invoke(command, [str(file), "--results", str(made.results)])
    assert ran.exit_code == 0
    assert "the direction of musiq is unknown" in ran.output
    assert f"imported 4 values of musiq into {made.results}" in ran.output
    assert CliRunner().invoke(cli, ["import", "--help"]).exit_code == 0
    assert iqbench.import_values is import_values


def test_roles_may_have_other_names(made, tmp_path):
    file = tmp_path / "scores.csv"
    file.write_text("filename,score\na.png,1\nb.png,2\n")
    options = ["--column", "image=filename", "--column", "value=score", "--metric", "musiq"]
    options += ["--method", "near", "--direction", "musiq=higher", "--results", str(made.results)]
    ran = CliRunner().invoke(command, [str(file), *options])
    assert ran.exit_code == 0
    assert imported(made.results) == {("near", "a"): 1, ("near", "b"): 2}


def test_a_long_file_whose_values_have_another_name_is_not_read_as_a_wide_one(made, tmp_path):
    file = tmp_path / "means.csv"
    file.write_text("method,metric,mean\none,psnr,30.5\none,ssim,0.9\n")
    with pytest.raises(IqbenchError, match="names the metric, but no column of values") as caught:
        import_values(file, made.results)
    assert caught.value.hint == "Say which one it is: --column value=mean"
