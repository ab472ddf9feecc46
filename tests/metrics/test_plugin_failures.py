"""Errors of plug-ins name the metric, the package and the image; the rest is scored."""

from __future__ import annotations

import importlib
import re
import sys
import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_folders import Made, noisy, picture

import iqbench
from iqbench.errors import IqbenchError, IqbenchWarning
from iqbench.metrics._registry import libraries, metric_classes, package_of, resolve_metrics

METRIC = '''
from iqbench.metrics._base import Column, Metric, Tap

class Broken(Metric):
    """Its own words: how broken an output is."""

    name = "broken"
    summary = "A broken metric"
    citation = "Nobody 2026"

    def columns(self):
        {columns}
        return (Column("broken", "lower", "how broken", (Tap(whole=True),)),)

    def parameters(self, folder):
        {parameters}
        return None

    def prepare(self, tap, reference, parameters):
        {prepare}
        return (reference,)

    def values(self, tap, reference, output, parameters):
        {values}
        return {{"broken": (reference[0] - output).abs().mean((1, 2, 3))}}

    def close(self, column, means, parameters):
        {close}
        return super().close(column, means, parameters)
'''
FAILS = 'raise KeyError("no such thing")'
BRIGHT = "if float(output.mean()) > 0.7: raise ValueError('too bright\\nand more')"
PACKAGE = "metric broken (package iqbench-broken 2.1)"

Install = Callable[..., None]


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install the package iqbench-broken with a metric that fails where it is told to."""
    site = tmp_path / "site"

    def install(**parts: str) -> None:
        information = site / "iqbench_broken-2.1.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: iqbench-broken\nVersion: 2.1\n"
        )
        (information / "entry_points.txt").write_text(
            "[iqbench.metrics]\nbroken = iqbench_broken:Broken\n"
        )
        names = ("columns", "parameters", "prepare", "values", "close")
        code = METRIC.format(**{**dict.fromkeys(names, "pass"), **parts})
        (site / "iqbench_broken.py").write_text(parts.get("module", "") + textwrap.dedent(code))
        monkeypatch.syspath_prepend(site)
        importlib.invalidate_caches()
        metric_classes.cache_clear()

    yield install
    monkeypatch.undo()
    sys.modules.pop("iqbench_broken", None)
    metric_classes.cache_clear()
    libraries.cache_clear()


def test_a_metric_of_values_is_scored(plug_in: Install) -> None:
    plug_in()
    reference, output = picture(0), noisy(picture(0))
    (row,) = iqbench.measure(reference, output, metrics="broken").to_dict("records")
    difference = np.abs(reference.astype(float) - output).mean() / 255
    assert row["value"] == pytest.approx(difference, rel=1e-5)


@pytest.mark.parametrize("part", ["prepare", "values", "close"])
def test_a_failure_is_a_row_and_the_other_metrics_have_values(
    plug_in: Install, made: Made, part: str
) -> None:
    plug_in(**{part: FAILS})
    made.references()
    summary = made.evaluate(made.method(), metrics=("broken", "psnr"))
    why = f"{PACKAGE} failed: KeyError: 'no such thing'"
    assert {(one.image, one.error) for one in summary.failures} == {
        (image, f"broken: {why}") for image in "abc"
    }
    rows = made.scores()
    assert set(rows.loc[rows["metric"] == "broken", "error"]) == {why}
    assert rows.loc[rows["metric"] == "psnr", "value"].notna().all()


def test_a_failure_on_one_image_leaves_the_others_their_values(
    plug_in: Install, made: Made
) -> None:
    plug_in(values=BRIGHT)
    references = [picture(0), np.full((24, 32, 3), 240, np.uint8)]
    evaluator = iqbench.Evaluator(["broken", "psnr"])
    told = f"output 1 (white) has no broken: {PACKAGE} failed: ValueError: too bright"
    with pytest.warns(IqbenchWarning, match=f"^{re.escape(told)}$"):
        evaluator.update(references, references, ids=["ramp", "white"])
    scores = evaluator.scores()
    assert scores["broken"].notna().tolist() == [True, False]
    assert scores["psnr"].notna().all()
    assert evaluator.errors() == {("white", "broken"): f"{PACKAGE} failed: ValueError: too bright"}
    with pytest.warns(IqbenchWarning, match=re.escape(PACKAGE)):
        called = evaluator(references, references)
    assert called["broken"].isnan().tolist() == [False, True]


def test_what_cannot_be_loaded_is_refused_before_anything_is_scored(
    plug_in: Install, made: Made
) -> None:
    plug_in(parameters=FAILS)
    made.references()
    method = made.method()
    for call in (
        lambda: made.evaluate(method, metrics=("broken", "psnr")),
        lambda: iqbench.measure(picture(0), picture(0), metrics="broken"),
        lambda: iqbench.Evaluator("broken"),
    ):
        with pytest.raises(IqbenchError) as caught:
            call()
        assert caught.value.message == f"{PACKAGE} cannot be used: KeyError: 'no such thing'"
    assert not made.results.exists()


def test_broken_columns_of_a_plugin_do_not_affect_other_metrics(
    plug_in: Install, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug_in(columns=FAILS)
    assert [one.column.name for one in resolve_metrics(["lpips-alex"])] == ["lpips-alex"]
    with pytest.raises(IqbenchError) as caught:
        resolve_metrics(["broken"])
    assert PACKAGE in caught.value.message


def test_a_package_that_cannot_be_imported_is_left_out_with_a_warning(plug_in: Install) -> None:
    plug_in(module="import no_such_library\n")
    with pytest.warns(IqbenchWarning, match=r"package iqbench-broken 2\.1 is left out: .*no_such"):
        assert "psnr" in metric_classes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "broken" not in metric_classes()


def test_metrics_of_iqbench_name_no_package() -> None:
    assert {package_of(one) for one in metric_classes().values()} == {""}


def test_the_description_of_the_plugin_is_shown(
    plug_in: Install, iqbench_command: Callable[..., str]
) -> None:
    plug_in()
    shown = iqbench_command("metrics", "show", "broken")
    assert shown.startswith("broken, version 1, of iqbench-broken 2.1\n")
    assert "Its own words: how broken an output is." in shown
    assert "A broken metric." in shown
    assert "Source: Nobody 2026" in shown
    assert "how broken" in shown
    assert "how broken (package iqbench-broken 2.1)" in iqbench_command("metrics", "list")


@pytest.fixture
def iqbench_command(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must succeed, and return what it prints."""
    from iqbench.cli.main import main

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        assert ended.value.code == 0
        return capsys.readouterr().out

    return run


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Made folders."""
    return Made(tmp_path / "made")
