"""A metric is one new file: all readers get its facts from this file."""

import numpy as np
import pytest
from made_folders import Made, picture

import iqbench
from iqbench.boards.board import read_board
from iqbench.columns import ColumnMap, Margin, Tolerance
from iqbench.doctor import scores as doctor
from iqbench.doctor.golden import Golden, GoldenValues, load_golden
from iqbench.engine.compute import resolve_compute
from iqbench.images.write import write_png
from iqbench.maps import difference_maps
from iqbench.metrics import _registry
from iqbench.metrics._base import Column, Metric, Tap
from iqbench.page.report import report_page


class Mae(Metric):
    """The mean of |reference - output|.

    Over channels and positions, of values in [0, 1].

    Attributes
    ----------
    gain
        What the error is multiplied by.
    """

    name = "mae"
    summary = "Mean absolute error"
    citation = "Zhao et al. 2017"
    symmetric = True

    gain: float = 1.0

    def columns(self):
        """An error as the eye sees it, say, and what it costs."""
        said = {
            "margin": Margin(0.0125, reason="for this test"),
            "tolerance": Tolerance(1e-4, unit="of 1"),
            "map": ColumnMap("centre"),
        }
        return (
            Column("mae-cost", "lower", "What it costs", (Tap(),), headline=True, role="cost"),
            Column(
                "mae", "lower", self.summary, (Tap(),), headline=True, role="perception", **said
            ),
        )

    def maps(self, tap, reference, output, parameters):
        """The absolute error at every position."""
        return {"error": self.gain * (reference[0] - output).abs()}

    def close(self, column, means, parameters):
        """The mean itself."""
        return means["error"]


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Two methods, scored by the metric and by PSNR."""
    known = {**_registry.metric_classes(), "mae": Mae}
    monkeypatch.setattr(_registry, "metric_classes", lambda: known)
    monkeypatch.setattr("iqbench.maps.kinds.metric_classes", lambda: known)
    made = Made(tmp_path)
    made.references()
    made.method("near", amount=3)
    made.method("far", amount=9)
    made.evaluate(metrics=("mae", "psnr"))
    monkeypatch.setattr(_registry, "metric_classes", dict)  # readers import no metric
    return made.results


def test_its_margin_decides_a_check(results):
    rows = iqbench.check(results=results, baseline=results).rows.set_index("metric")
    assert set(rows.loc["mae", "margin"]) == {0.0125}
    assert set(rows.loc["psnr", "margin"]) == {0.05}


def test_its_role_gives_its_place_in_a_leaderboard_and_the_front(results):
    found = read_board(results, {})
    assert found.datasets[0].scores.headings == ["mae", "psnr", "mae-cost"]
    assert set(found.table.frame["front_by"]) == {"psnr, mae"}
    assert set(found.table.frame["ranked_by"]) == {"mae"}


def test_its_definition_is_in_the_report(results):
    html = report_page(results, {}).html
    assert "<p>The mean of |reference - output|.</p>" in html
    assert "<p>Over channels and positions, of values in [0, 1].</p>" in html
    assert "Zhao et al. 2017" in html
    assert "What the error is multiplied by" not in html


def test_its_map_is_made(tmp_path, monkeypatch):
    known = {**_registry.metric_classes(), "mae": Mae}
    monkeypatch.setattr(_registry, "metric_classes", lambda: known)
    monkeypatch.setattr("iqbench.maps.kinds.metric_classes", lambda: known)
    first, second = picture(0), picture(1)
    write_png(tmp_path / "r.png", first)
    write_png(tmp_path / "o.png", second)
    (found,) = difference_maps(tmp_path / "r.png", tmp_path / "o.png", maps=["mae"], device="cpu")
    expected = np.abs(first.astype(float) - second).mean(2) / 255
    np.testing.assert_allclose(found.values, expected, atol=1e-6)
    assert found.mean == pytest.approx(expected.mean(), abs=1e-6)


def test_its_tolerance_is_the_doctors(monkeypatch):
    known = {**_registry.metric_classes(), "mae": Mae}
    monkeypatch.setattr(_registry, "metric_classes", lambda: known)
    golden = load_golden()
    recorded = GoldenValues(
        pair=golden.pairs[0], protocol="rgb", columns={"mae": 0.5}, by={"mae": "numpy"}
    )
    made = Golden(recorded_with=golden.recorded_with, files=golden.files, values=(recorded,))
    monkeypatch.setattr(doctor, "load_golden", lambda: made)
    (finding,) = doctor.check_scores(doctor.Bench.set_up(resolve_compute("cpu"), {}, None))
    assert (finding.tolerance, finding.unit, finding.status) == (1e-4, "of 1", "off")
