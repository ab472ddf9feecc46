"""The notebook of the documentation runs in Jupyter, with bars, tables and warnings."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from documents import ROOT

nbclient = pytest.importorskip("nbclient", reason="pip install nbclient ipykernel")
nbformat = pytest.importorskip("nbformat")

pytestmark = pytest.mark.notebook

PAGE = ROOT / "docs/notebook.ipynb"

MORE = {
    "warned": """
for _ in range(2):  # the same warning twice is said twice
    iqbench.evaluate(
        methods={"broken": lambda image: image[1:]},
        dataset="demo-denoise",
        degradation="noise:sigma=25",
        metrics="psnr",
        results=results.with_name("broken"),
    )
""",
    "completed": """
import json
from IPython import get_ipython
from IPython.core.completer import provisionalcompleter

def completed(code):
    return [one.text for one in get_ipython().Completer.completions(code, len(code))]

with provisionalcompleter():
    codes = "iqbench.lea", "iqbench.evaluate(me", "iqbench.Evaluator(gr"
    print(json.dumps([completed(code) for code in codes]))
""",
}
"""Cells that are run after those of the page."""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """What each cell shows, by its first line of code; of the cells above, by their name."""
    notebook = nbformat.read(PAGE, as_version=4)
    notebook.cells += [nbformat.v4.new_code_cell(code) for code in MORE.values()]
    folder = tmp_path_factory.mktemp("notebook")
    nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(folder)}}
    ).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    names = [cell.source.partition("\n")[0] for cell in cells[: -len(MORE)]] + list(MORE)
    return {name: cell.outputs for name, cell in zip(names, cells, strict=True)}


def html_of(shown: list[Any]) -> str:
    found = [one.data["text/html"] for one in shown if "text/html" in one.get("data", {})]
    assert found, shown
    return str(found[-1])


def test_no_cell_writes_to_stderr_unexpectedly(outputs: dict[str, list[Any]]) -> None:
    of_page = [one for name, shown in outputs.items() if name not in MORE for one in shown]
    assert of_page
    assert [one.text for one in of_page if one.get("name") == "stderr"] == []


def test_no_output_is_stored_in_the_repository() -> None:
    cells = json.loads(PAGE.read_text("utf-8"))["cells"]
    assert [cell.get("outputs", []) for cell in cells if cell.get("outputs")] == []


def test_a_bar_is_left_that_says_what_was_done(outputs: dict[str, list[Any]]) -> None:
    shown = outputs["def median(image):"]
    bars = [one.data["text/plain"] for one in shown if "<progress" in str(one.get("data", ""))]
    assert len(bars) == 1
    assert re.fullmatch(r"demo-denoise.*: 24 of 24 outputs, [\d.]+ s", bars[0])


def test_scores_and_leaderboards_are_tables(outputs: dict[str, list[Any]]) -> None:
    assert "<table" in html_of(outputs["def median(image):"])
    board = html_of(outputs["board = iqbench.leaderboard(results)"])
    assert re.search(r'<td class="number best">[\d.]+', board)
    for method in ("input", "median", "gaussian"):
        assert f">{method}</td>" in board
    assert "<script" not in board


def test_correlations_checks_and_comparisons_are_tables(outputs: dict[str, list[Any]]) -> None:
    assert "Correlation of metrics" in html_of(outputs["iqbench.correlate(results)"])
    check = next(shown for name, shown in outputs.items() if name == "iqbench.evaluate(")
    assert "Regression check failed: 2 worse" in html_of(check)
    name = 'iqbench.compare(results, results.with_name("new"), filters=chosen)'
    assert "95 % interval" in html_of(outputs[name])


def test_warnings_are_shown_each_time(outputs: dict[str, list[Any]]) -> None:
    told = "".join(one.text for one in outputs["warned"] if one.get("name") == "stderr")
    assert told.count("IqbenchWarning") == 2
    assert told.count("8 outputs not scored") == 2


def test_names_and_parameters_are_completed(outputs: dict[str, list[Any]]) -> None:
    names, parameters, options = json.loads(outputs["completed"][-1].text)
    assert names == ["leaderboard"]
    assert {"methods=", "methods_in=", "metrics=", "memory="} <= set(parameters)
    assert "gray_output=" in options
