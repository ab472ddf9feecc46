"""The correlation report: its sentences, its figures, and its table of all numbers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from iqbench.cli.main import cli
from iqbench.correlation.between import between_metrics
from iqbench.correlation.correlations import Correlations
from iqbench.correlation.differences import opinion_differences
from iqbench.correlation.document import (
    correlation_document,
    correlation_figures,
    render_correlations,
)
from iqbench.correlation.folder import write_correlations
from iqbench.correlation.forced_choice import choice_agreement, choice_differences
from iqbench.correlation.human_opinion import opinion_agreement
from iqbench.correlation.metric_table import MetricTable
from iqbench.correlation.tables import lower_half
from iqbench.correlation.variation_gaps import variation_gaps
from iqbench.correlation.words import sentences
from iqbench.document.figure import Heatmap
from iqbench.document.plotly_traces import for_plotly
from iqbench.document.terminal import Window
from iqbench.errors import IqbenchError
from iqbench.results.format1 import completed
from iqbench.results.schema import ColumnInfo
from iqbench.stats.influence import Bootstrap

FEW = Bootstrap(resamples=200)
LAYERS = ("perceptual-vgg16-relu1_2-l1", "perceptual-vgg16-relu5_3-l1")
DIRECTIONS = {
    "psnr": "higher",
    "tv-residual": "lower",
    "|tv-ratio-1|": "lower",
    **dict.fromkeys(LAYERS, "lower"),
}


def scores(images=12):
    """Smoothing moves total variation, ringing the layers; the first layer follows tv-residual."""
    generator = np.random.default_rng(0)
    distance = {"near": (0.02, 0.05), "smooth": (0.5, 0.1), "ringing": (0.05, 0.6)}
    rows = []
    for k in range(images):
        for method, (variation, perceptual) in distance.items():
            noise = generator.uniform(0.9, 1.1, 4)
            rows.append(
                {
                    **{"dataset": "set", "method": method, "image": f"i{k}"},
                    "psnr": 40 - 20 * (variation + perceptual) * noise[0],
                    "|tv-ratio-1|": variation * noise[1],
                    "tv-residual": variation * noise[2],
                    LAYERS[0]: variation * noise[2],
                    LAYERS[1]: perceptual * noise[3],
                }
            )
    return pd.DataFrame(rows).set_index(["dataset", "method", "image"])


def correlations(values=None, **options):
    values = scores() if values is None else values
    table = MetricTable(values, [["set"]])
    empty = opinion_agreement(pd.DataFrame({"dataset": []}), [], {})
    roles = {name: completed(name, ColumnInfo("none")).role for name in table.names}
    perceptual = [name for name, role in roles.items() if role == "perception"]
    base = {
        "directions": DIRECTIONS,
        "roles": roles,
        "between": between_metrics(table, FEW),
        "parting": variation_gaps(values, perceptual, bootstrap=FEW),
        "opinion": empty,
        "differences": opinion_differences(pd.DataFrame({"dataset": []}), []),
        "opinions": pd.DataFrame({"dataset": []}),
        "hidden": 0,
        "bootstrap": FEW,
    }
    return Correlations(table=table, **{**base, **options})


@pytest.fixture(scope="module")
def with_people():
    """Opinions that agree with PSNR, and not with its reverse."""
    values = scores(20)
    generator = np.random.default_rng(1)
    values = values.assign(backwards=-values["psnr"], noise=generator.normal(0, 1, len(values)))
    table = values.reset_index().assign(
        mos=values["psnr"].to_numpy() + generator.normal(0, 0.3, len(values)),
        **{"mos_std": 2.0, "raters": 10.0, "mos_direction": "higher"},
        distortion=values.index.get_level_values("method"),
    )
    names = ["psnr", "backwards", "noise"]
    return correlations(
        values[names],
        directions=dict.fromkeys(names, "higher"),
        opinion=opinion_agreement(table, names, {}, FEW),
        differences=opinion_differences(table, names, FEW),
        opinions=table,
    )


def test_the_words_name_what_moves_one_and_not_the_other():
    said = "\n".join(sentences(correlations()))
    assert "ringing on set changes perceptual distance more than total variation" in said
    assert "smooth on set changes total variation more than perceptual distance" in said
    assert "near on set" not in said


def test_the_words_follow_the_numbers():
    values = scores().rename(index={"smooth": "ringing", "ringing": "smooth"}, level="method")
    said = "\n".join(sentences(correlations(values)))
    assert "smooth on set changes perceptual distance more than total variation" in said


def test_the_text_says_if_there_is_no_gap():
    values = scores()
    for layer in LAYERS:
        values[layer] = values["|tv-ratio-1|"]
    said = "\n".join(sentences(correlations(values)))
    assert "No method or distortion differs significantly by more than 20%" in said
    assert "changes" not in said


def test_the_words_say_what_first_and_last_layer_tell():
    line = next(s for s in sentences(correlations()) if s.startswith("The rankings of methods"))
    assert f"tv-residual and by {LAYERS[0]} agree with tau 1.00" in line
    assert LAYERS[1] in line


def test_the_words_name_contradictions():
    values = scores()
    values["tv-residual"] = -values["psnr"]
    directions = {**DIRECTIONS, "tv-residual": "higher"}
    said = "\n".join(sentences(correlations(values, directions=directions)))
    assert "psnr and tv-residual contradict each other on the ranking of methods: tau -1.00" in said


def test_the_words_name_the_best_metric_and_the_reversed_one(with_people):
    said = "\n".join(sentences(with_people))
    assert "On set, psnr agrees best with opinion: SRCC 0.9" in said
    assert "not significantly better than backwards" in said
    assert "backwards has the wrong sign on set: SRCC -0.9" in said
    assert "psnr has the wrong sign" not in said


def test_a_metric_of_distance_is_not_called_reversed(with_people):
    directions = {**with_people.directions, "backwards": "lower"}
    said = "\n".join(sentences(replace(with_people, directions=directions)))
    assert "wrong way" not in said


def test_the_words_compare_choices_with_one_more_person():
    table = pd.DataFrame(
        {
            **{"dataset": "bapps", "image": list("abcdef"), "judge": [1.0, 1, 1, 0.5, 0, 0]},
            **{"distortion": None, "d_0": 0.5, "d_1": [0.0, 0, 0, 0, 1, 1]},
        }
    )
    arguments = (table, ["d"], {"d": "lower"}, FEW)
    found = correlations(
        opinion=choice_agreement(*arguments),
        differences=choice_differences(*arguments),
        opinions=table,
    )
    said = next(s for s in sentences(found) if s.startswith("On bapps"))
    assert "d chooses most like people: 2AFC 91.7%" in said
    assert "one more person would reach 91.7%" in said


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_terminal_shows_no_line_wider_than_itself(with_people, width):
    for found in (correlations(), with_people):
        text = render_correlations(found, "table", Window(width))
        assert max(map(len, text.splitlines())) <= width
        assert "Spearman within datasets" in text


def test_agreement_with_people_is_a_table_with_its_interval(with_people):
    text = render_correlations(with_people, "table", Window(200))
    assert "Agreement with people on set" in text
    assert "SRCC by distortion on set" in text
    assert {"SRCC", "KRCC", "PLCC", "RMSE", "AUC", "different", "better"} <= set(text.split())


def test_all_numbers_are_in_one_table(with_people):
    rows = with_people.rows()
    assert list(rows["kind"].unique()) == ["metrics", "opinion", "opinion difference"]
    assert set(correlations().rows()["kind"]) == {"metrics", "parting"}
    one = rows[(rows["kind"] == "opinion") & (rows["first"] == "psnr") & (rows["distortion"] == "")]
    value = with_people.opinion.query("metric == 'psnr' and distortion == ''")["value"]
    assert list(one["value"]) == list(value)
    assert rows["n"].dtype == pd.Int64Dtype()
    assert rows[["value", "low", "high"]].dtypes.eq("float64").all()


def test_a_folder_has_all_numbers_the_report_and_its_figures(with_people, tmp_path):
    written = write_correlations(with_people, tmp_path / "new/folder")
    assert all(path.exists() for path in written)
    back = pd.read_parquet(tmp_path / "new/folder/correlation.parquet")
    pd.testing.assert_frame_equal(back, with_people.rows(), check_dtype=False)
    report = (tmp_path / "new/folder/report.md").read_text(encoding="utf-8")
    for path in written[1:-1]:
        assert f"(figures/{path.name})" in report
        assert path.read_text(encoding="utf-8").startswith("<?xml")
    assert {path.stem for path in written} >= {"spearman-within-dataset", "scatter-0", "report"}


def test_gaps_have_a_figure(tmp_path):
    written = write_correlations(correlations(), tmp_path)
    gaps = next(path for path in written if path.stem == "gaps").read_text(encoding="utf-8")
    assert "smooth" in gaps
    assert "perceptual distance" in gaps


def test_the_same_numbers_give_the_same_files(with_people, tmp_path):
    for found in (correlations(), with_people):
        first = write_correlations(found, tmp_path / "a")
        second = write_correlations(found, tmp_path / "b")
        texts = [path for path in first if path.suffix != ".parquet"]
        assert texts
        for path, other in zip(first, second, strict=True):
            assert path.suffix == ".parquet" or path.read_bytes() == other.read_bytes(), path


def test_names_cannot_break_the_report_or_its_figures(tmp_path):
    name = "a|b<script>$x_1$\x1b[0m"
    values = scores().rename(columns={"psnr": name})
    found = correlations(values)
    write_correlations(found, tmp_path)
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    figure = (tmp_path / "figures/spearman-within-dataset.svg").read_text(encoding="utf-8")
    assert "<script>" not in report
    assert "<script>" not in figure
    assert "\x1b" not in report + figure + render_correlations(found, "table")


def test_one_metric_gives_a_report_without_matrix(tmp_path):
    found = correlations(scores()[["psnr"]])
    assert "Spearman" not in render_correlations(found, "table")
    assert [path.name for path in write_correlations(found, tmp_path)] == [
        "correlation.parquet",
        "report.md",
    ]


def test_the_report_names_metrics_without_a_coefficient():
    (alone,) = sentences(correlations(scores()[["psnr"]]))
    assert alone.startswith("psnr is the only metric")
    constant = sentences(correlations(scores()[["psnr"]].assign(ssim=1.0)))
    assert constant == [
        "No coefficient could be computed for ssim: all values are equal.",
        "No coefficient could be computed for psnr: the other metrics are constant, or fewer than "
        "three rows have both values.",
    ]
    assert not any("No coefficient" in said for said in sentences(correlations()))


def test_next_to_nothing_is_written_without_sign_or_exponent():
    values = pd.DataFrame([[1.0, -0.0014], [-0.0014, 1.0]], index=["a", "b"], columns=["a", "b"])
    _, column = lower_half(values)
    assert [(entry.text, entry.value) for entry in column.entries] == [("0.00", -0.0014)]


def test_markdown_without_figures_links_none():
    assert "![" not in render_correlations(correlations(), "markdown")


def test_matplotlib_waits_until_a_figure_is_drawn():
    script = (
        "import sys, iqbench.document.drawing, iqbench.correlation.folder\n"
        "assert not {'matplotlib', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_page_has_the_figures_as_plotly_reads_them(with_people):
    page = render_correlations(with_people, "html")
    figures = json.loads(re.search(r'id="figures">(.*?)</script>', page)[1])
    described = {
        section.figure.name
        for section in correlation_document(with_people).sections
        if section.figure
    }
    assert {figure["name"] for figure in figures} == described
    for figure in figures:
        assert f'id="figure-{figure["name"]}"' in page
        assert figure["traces"]
    (scatter,) = (figure for figure in figures if figure["name"] == "scatter-0")
    *points, curve = scatter["traces"][:4]  # a colour a distortion
    assert [one["name"] for one in points] == sorted(set(with_people.opinions["distortion"]))
    assert sum(len(one["x"]) for one in points) == with_people.opinions["mos"].notna().sum()
    assert curve["mode"] == "lines"
    assert curve["x"] == sorted(curve["x"])


def test_a_heat_map_has_the_lower_half():
    heatmap = Heatmap("name", "title", ["b", "c"], ["a", "b"], np.array([[0.5, 9.0], [np.nan, -1]]))
    (trace,) = for_plotly(heatmap)["traces"]
    assert trace["z"] == [[0.5, None], [None, -1.0]]
    assert (trace["y"], trace["x"]) == (["b", "c"], ["a", "b"])


@pytest.mark.parametrize(
    ("format", "magic"), [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")]
)
def test_figures_are_files_of_three_formats(tmp_path, format, magic):
    written = write_correlations(correlations(), tmp_path / "report", figures=format)
    files = [path for path in written if path.parent.name == "figures"]
    assert files
    assert {path.suffix for path in files} == {f".{format}"}
    assert all(path.read_bytes().startswith(magic) for path in files)
    report = (tmp_path / "report/report.md").read_text(encoding="utf-8")
    assert all(f"(figures/{path.name})" in report for path in files)


def test_latex_has_all_tables_and_says_what_stands_out():
    text = render_correlations(correlations(), "latex")
    assert text.startswith("% Correlation of metrics\n% ")
    assert "\\caption{Spearman within datasets.}" in text


@pytest.mark.parametrize("parameters", [4, 5])
def test_the_curve_that_is_drawn_is_the_one_that_is_reported(parameters):
    generator = np.random.default_rng(0)
    x = generator.uniform(20, 40, 60)
    table = pd.DataFrame(
        {
            **{"dataset": "set", "method": "m", "image": [f"i{at:02}" for at in range(60)]},
            **{"psnr": x, "mos": 100 / (1 + np.exp(-0.4 * (x - 30))) + generator.normal(0, 4, 60)},
            **{"mos_std": 5.0, "raters": 9.0, "mos_direction": "higher"},
            "distortion": ["jpeg", "blur", "noise"] * 20,
        }
    )
    agreement = opinion_agreement(table, ["psnr"], {"psnr": "higher"}, FEW, (parameters,))
    assert {name for name in agreement["statistic"] if "logistic" in name} == {
        f"{kind}-logistic{parameters}" for kind in ("plcc", "rmse", "or-2sd", "or-ci")
    }
    values = table.set_index(["dataset", "method", "image"])[["psnr"]]
    found = correlations(values, opinion=agreement, opinions=table, logistic=parameters)
    ((name, scatter),) = correlation_figures(found, "scatter")
    assert name == ""
    (panel,) = scatter.panels
    whole = agreement[agreement["distortion"] == ""].set_index("statistic")["value"]
    fitted = whole[f"plcc-logistic{parameters}"]
    assert panel.caption == f"PLCC {whole['plcc']:.3f}, {fitted:.3f} after logistic {parameters}"
    assert list(panel.groups) == list(table["distortion"])
    # The curve itself gives the coefficients that the table has.
    across, curve = panel.curve
    at = np.interp(x, across, curve)
    assert np.corrcoef(at, table["mos"])[0, 1] == pytest.approx(fitted, abs=1e-4)
    rmse = np.sqrt(np.mean((at - table["mos"]) ** 2))
    assert rmse == pytest.approx(whole[f"rmse-logistic{parameters}"], rel=1e-3)
    columns = next(
        section.columns
        for section in correlation_document(found).sections
        if section.title == "Agreement with people on set"
    )
    headings = [column.heading for column in columns]
    assert [name for name in headings if name.startswith(("PLCC ", "RMSE", "OR"))] == [
        *(f"PLCC {parameters}", f"RMSE {parameters}", "OR 2sd", "OR ci"),
    ]
    (plotted,) = (trace for trace in for_plotly(scatter)["traces"] if trace["mode"] == "lines")
    assert plotted["y"] == list(curve)


def test_a_missing_figure_has_a_reason():
    for kind, why in (("scatter", "no mean opinions"), ("spearman", "it needs two metrics")):
        with pytest.raises(IqbenchError, match=why):
            correlation_figures(correlations(scores()[["psnr"]]), kind)
    with pytest.raises(IqbenchError, match="unknown figure"):
        correlation_figures(correlations(), "front")


def test_the_command_reports_and_draws_the_logistic_that_is_chosen(tmp_path):
    generator = np.random.default_rng(1)
    x = generator.uniform(20, 40, 24)
    frame = pd.DataFrame({"image": [f"i{at}" for at in range(24)], "psnr": x, "mos": x})
    frame.to_csv(tmp_path / "one.csv", index=False)
    file = tmp_path / "scatter.svg"
    arguments = ["correlate", "--mos", str(tmp_path / "one.csv"), "--resamples", "0"]
    told = CliRunner().invoke(
        cli, [*arguments, "--logistic", "4", "--figure", str(file), "--format", "csv"]
    )
    assert told.exit_code == 0, told.output
    assert "plcc-logistic4" in told.stdout
    assert "logistic5" not in told.stdout
    assert "after logistic 4" in file.read_text()
    assert f"wrote {file}" in told.stderr
