"""`iqbench correlate`: from results and opinions to a table, a file or a folder."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from made_columns import as_stated
from made_manifest import MANIFEST
from needs import SHARED, needs

from iqbench.cli.correlate import correlate
from iqbench.errors import IqbenchError
from iqbench.results.schema import ColumnInfo, ImageRow, ScoreRow
from iqbench.results.store import Store

COLUMNS = as_stated(
    {
        "psnr": ColumnInfo("higher", 2),
        "tv-ratio": ColumnInfo("target:1", 3),
        "lpips-alex": ColumnInfo("lower", 4),
        "tv-sq-output": ColumnInfo("none", 4, headline=False),
    }
)
OPINIONS = SHARED / "data/mos"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Two methods on twelve images; dataset rated has opinions, dataset plain has none."""
    root = tmp_path_factory.mktemp("correlate") / "results"
    generator = np.random.default_rng(0)
    with Store(root).writer(MANIFEST, COLUMNS) as writer:
        for dataset in ("plain", "rated"):
            for method in ("p0", "p1"):
                for k in range(12):
                    quality = generator.normal()
                    opinion = {}
                    if dataset == "rated":
                        opinion = {"mos": quality, "mos_std": 0.5, "mos_direction": "higher"}
                        opinion["distortion"] = "blur" if k % 2 else "noise"
                    image = ImageRow(dataset, method, f"i{k}", f"r{k}", f"{method}{k}", **opinion)
                    writer.add_image(image)
                    values = quality + generator.normal(0, 0.5, 4)
                    numbers = (30 + values[0], 1 + values[1] / 9, 1 - values[2] / 9, values[3])
                    writer.add_scores(
                        ScoreRow(
                            *(dataset, method, f"i{k}", metric, value, None),
                            *(f"metric={metric}|view=rgb", "rgb", image.pair),
                        )
                        for metric, value in zip(COLUMNS, numbers, strict=True)
                    )
    return root


def run(*arguments, width=100):
    return CliRunner().invoke(
        correlate,
        [*map(str, arguments), "--resamples", "50"],
        env={"COLUMNS": str(width)},
        catch_exceptions=False,
    )


def rows(*arguments):
    return list(csv.DictReader(io.StringIO(run(*arguments, "--format", "csv").stdout)))


def test_a_table_of_headline_metrics_goes_to_stdout(results):
    done = run(results)
    assert (done.exit_code, done.stderr) == (0, "")
    assert "Spearman within datasets" in done.stdout
    assert "Agreement with people on rated" in done.stdout
    assert "SRCC by distortion on rated" in done.stdout
    assert "|tv-ratio-1|" in done.stdout
    assert "tv-sq-output" not in done.stdout
    assert "1 more metric: --columns all" in done.stdout


def test_programs_get_all_metrics_and_every_number(results):
    found = rows(results)
    assert "tv-sq-output" in {row["second"] for row in found}
    assert {row["kind"] for row in found} == {
        *("metrics", "parting", "opinion", "opinion difference")
    }
    assert {row["scope"] for row in found if row["kind"] == "metrics"} == {
        *("pooled", "dataset", "method", "within dataset", "within method", "within image")
    }


def test_json_is_a_list_of_the_same_rows(results):
    found = json.loads(run(results, "--format", "json").stdout)
    assert len(found) == len(rows(results))
    assert {"kind", "first", "second", "statistic", "value", "low", "high", "n"} <= set(found[0])


def test_filters_choose_what_is_correlated(results):
    found = rows(results, "--dataset", "plain", "--metric", "psnr", "--metric", "lpips-alex")
    assert {row["first"] for row in found} == {"psnr"}
    assert {row["dataset"] for row in found} <= {"plain", ""}
    with pytest.raises(IqbenchError, match="unknown metric 'pnsr'"):
        run(results, "--metric", "pnsr")


def test_a_folder_or_a_file_is_written_as_the_name_says(results, tmp_path):
    done = run(results, "-o", tmp_path / "report")
    assert done.stdout == ""
    assert f"wrote {tmp_path / 'report/report.md'}\n" in done.stderr
    assert (tmp_path / "report/correlation.parquet").exists()
    assert (tmp_path / "report/figures/scatter-0.svg").exists()
    run(results, "-o", tmp_path / "all.csv")
    assert (tmp_path / "all.csv").read_text(encoding="utf-8").startswith("kind,scope,dataset")
    run(results, "-o", tmp_path / "report.md")
    assert (tmp_path / "report.md").read_text(encoding="utf-8").startswith("# Correlation")


def write(path, **columns):
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def test_opinions_of_a_file_are_joined_to_results(results, tmp_path):
    images = [f"i{k}" for k in range(12)]
    file = write(tmp_path / "o.csv", image=[f"{name}.png" for name in images], dmos=range(12))
    arguments = ("--mos", file, "--mos-column", "dmos", "--dataset", "plain", "--method", "p0")
    with pytest.raises(IqbenchError, match="'dmos' may rise or fall with quality"):
        run(results, *arguments)
    found = rows(results, *arguments, "--mos-direction", "lower")
    people = {row["first"]: row["n"] for row in found if row["kind"] == "opinion"}
    assert people["psnr"] == "12"
    with pytest.raises(IqbenchError, match="more than one method"):
        run(results, "--mos", file, "--mos-column", "dmos", "--mos-direction", "lower")


def test_a_file_with_metrics_needs_no_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    quality = generator.normal(0, 1, 30)
    noise = generator.normal(0, 0.3, 30)
    file = write(tmp_path / "study.csv", mos=quality, std=0.5, good=quality + noise, bad=-noise)
    found = rows("--mos", file, "--raters", "9", "--metric", "good")
    values = {row["statistic"]: float(row["value"]) for row in found if row["kind"] == "opinion"}
    assert values["srcc"] > 0.9
    assert values["auc-better-worse"] > 0.9
    assert {row["first"] for row in found} == {"good"}
    with pytest.raises(IqbenchError, match="nothing to choose by --method"):
        run("--mos", file, "--method", "x")
    with pytest.raises(IqbenchError, match="no results folder"):
        run("--mos", write(tmp_path / "bare.csv", image=["a"], mos=[1.0]))


def test_choices_of_people_are_scored(results, tmp_path):
    images = [f"i{k}" for k in range(12)]
    file = write(tmp_path / "judge.csv", image=images, judge=np.linspace(0, 1, 12))
    done = run(results, "--mos", file, "--dataset", "plain")
    assert "2AFC" in done.stdout
    assert "one more person would reach" in " ".join(done.stdout.split())
    assert "(a person)" in done.stdout


def test_choices_of_a_file_need_a_direction(tmp_path):
    file = write(tmp_path / "judge.csv", judge=[0.1, 0.9] * 5, d_0=[0.1, 0.5] * 5, d_1=0.3)
    with pytest.raises(IqbenchError, match=r"--metric-direction d=lower"):
        run("--mos", file)
    found = rows("--mos", file, "--metric-direction", "d=lower")
    assert {row["first"]: float(row["value"]) for row in found}["d"] == pytest.approx(0.9)
    assert run("--mos", file, "--metric-direction", "d").exit_code == 2


def test_the_help_defines_its_numbers_and_has_examples():
    text = run("--help").stdout
    for word in ("SRCC", "within image", "OR 2sd", "Krasula", "2AFC", "Williams", "Examples:"):
        assert word in text


@needs(OPINIONS)
def test_a_published_table_comes_out_of_the_command():
    found = rows(
        *("--mos", OPINIONS / "vqmt/IVC.VQMT.csv", "--mos-column", "image=dist_img"),
        *("--mos-column", "distortion=dst_type", "--metric", "DSSIM"),
    )
    values = {
        row["statistic"]: f"{float(row['value']):.6f}"
        for row in found
        if row["kind"] == "opinion" and not row["distortion"]
    }
    assert (values["srcc"], values["krcc"]) == ("-0.915765", "-0.748408")


@pytest.fixture
def padded(tmp_path):
    """Images that are called 0001 and so on, one of them equal to its reference."""
    root = tmp_path / "padded"
    with Store(root).writer(MANIFEST, COLUMNS) as writer:
        for k in range(1, 13):
            image = ImageRow("set", "m", f"{k:04d}", f"r{k}", f"o{k}")
            writer.add_image(image)
            value = float("inf") if k == 12 else 30.0 + k + 0.3 * (-1) ** k
            writer.add_scores(
                [
                    ScoreRow(
                        *("set", "m", f"{k:04d}", "psnr", value, None),
                        *("metric=psnr|view=rgb", "rgb", image.pair),
                    )
                ]
            )
    return root


def opinions(path, *lines):
    path.write_text("\n".join(["image,mos", *lines]) + "\n", encoding="utf-8")
    return path


def test_ids_with_zeros_in_front_are_found(padded, tmp_path):
    file = opinions(tmp_path / "mos.csv", *(f"{k:04d},{k}" for k in range(1, 13)))
    found = {row["statistic"]: row for row in rows(padded, "--mos", file)}
    assert (found["srcc"]["value"], found["srcc"]["n"]) == ("1.0", "12")
    assert found["plcc"]["n"] == "11"  # an infinite value has a rank, but no distance


def test_each_coefficient_has_its_own_n_in_the_table(padded, tmp_path):
    file = opinions(tmp_path / "mos.csv", *(f"{k:04d},{k}" for k in range(1, 13)))
    text = " ".join(run(padded, "--mos", file, width=200).stdout.split())
    assert "psnr 12 1.000" in text
    assert "n 11: PLCC, PLCC 4, PLCC 5, RMSE 4, RMSE 5" in text


def test_opinions_that_are_left_out_are_counted_in_words(padded, tmp_path):
    lines = [*(f"{k:04d},{k}" for k in range(1, 11)), "0011,", "0012,", "0099,5", "x,4"]
    file = opinions(tmp_path / "mos.csv", *lines)
    notes = (
        f"2 of 14 rows of {file} have no opinion",
        "2 of 12 opinions belong to no scored image and are left out: 0099, x",
        "2 of 12 scored images have no opinion and are left out",
    )
    for format in ("table", "markdown"):
        text = " ".join(run(padded, "--mos", file, "--format", format, width=300).stdout.split())
        for note in notes:
            assert note in text.replace("\\", "")
    for format in ("csv", "json"):
        done = run(padded, "--mos", file, "--format", format)
        assert done.stderr.splitlines() == [f"note: {note}" for note in notes]


def test_ids_that_lost_their_zeros_are_shown(padded, tmp_path):
    file = opinions(tmp_path / "mos.csv", *(f"{k},{k}" for k in range(1, 13)))
    with pytest.raises(IqbenchError, match="zeros") as caught:
        run(padded, "--mos", file)
    assert "the file has '1', the results '0001'" in str(caught.value)


def test_what_is_no_folder_needs_a_format(results, tmp_path):
    target = tmp_path / "correlation"
    target.write_text("")
    with pytest.raises(IqbenchError, match=r"correlation is not a folder\. .* --format"):
        run(results, "-o", target)
    run(results, "-o", target, "--format", "csv")
    assert target.read_text().startswith("kind,scope,")
