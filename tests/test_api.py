"""The Python functions give the same as the command line, as DataFrames."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_folders import IMAGES, Made, noisy, picture

import iqbench
from iqbench.errors import IqbenchError, IqbenchWarning
from iqbench.images.write import write_png


@pytest.fixture
def made(tmp_path) -> Made:
    made = Made(tmp_path)
    made.references()
    for name in ("one", "two"):
        made.method(name)
    return made


def evaluate(made, *methods, **options):
    options = {"reference": made.root / "hr", "results": made.results, "metrics": "psnr"} | options
    if methods:
        options["methods"] = [made.root / "out" / method for method in methods]
    return iqbench.evaluate(device="cpu", **options)


class TestEvaluate:
    def test_it_returns_the_scores_of_this_call(self, made):
        evaluate(made, "one")
        frame = evaluate(made, "two", metrics=["ssim"])
        assert set(frame["method"]) == {"two"}
        assert list(frame["image"]) == list(IMAGES)
        assert frame["value"].between(0, 1).all()
        assert list(frame.columns) == [
            *("dataset", "method", "image", "metric", "value", "error", "signature", "protocol")
        ]

    def test_one_or_several_texts_or_paths(self, made):
        out, hr = made.root / "out", made.root / "hr"
        expected = evaluate(made, "one", "two")
        for options in (
            {"methods": [str(out / "one"), out / "two"]},
            {"methods": (out / "one", f"two={out / 'two'}")},
            {"methods_in": out},
            {"methods_in": str(out), "reference": str(hr), "results": str(made.results)},
        ):
            assert evaluate(made, **options).equals(expected)
        assert set(evaluate(made, methods=out / "one")["method"]) == {"one"}
        assert set(evaluate(made, methods=str(out / "one"))["method"]) == {"one"}

    def test_errors_are_in_the_rows(self, made):
        (made.root / "out/one/b.png").write_bytes(b"")
        with pytest.warns(IqbenchWarning, match="hr / one: 1 output not scored, first b: .*empty"):
            frame = evaluate(made, "one").set_index("image")
        assert frame["error"].notna().to_dict() == {"a": False, "b": True, "c": False}
        assert pd.isna(frame.loc["b", "value"])

    def test_a_method_without_a_single_output_has_rows_and_a_warning(self, made):
        (made.root / "out/idle/other").mkdir(parents=True)
        with pytest.warns(IqbenchWarning, match="hr / idle: 3 outputs not scored, first a: miss"):
            frame = evaluate(made, "one", "idle").set_index(["method", "image"])
        assert frame["value"].notna().groupby("method", observed=True).sum().to_dict() == {
            **{"idle": 0, "one": 3}
        }

    def test_all_that_the_command_line_warns_of_is_a_python_warning(self, made):
        shutil.copytree(made.root / "hr", made.root / "out/copy")
        write_png(made.root / "out/copy/z.png", picture(1))
        with pytest.warns(IqbenchWarning) as caught:
            evaluate(made, "copy")
        found = [str(warning.message) for warning in caught]
        assert len(found) == 2
        assert "left out: z.png" in found[0]
        assert "The references were scored against themselves" in found[1]
        assert {warning.filename for warning in caught} == {__file__}

    def test_values_that_do_not_exist_are_a_warning(self, made):
        made.references(folder="thin", height=8)
        made.method("small", height=8)
        with pytest.warns(IqbenchWarning, match="thin / psnr-b: 3 outputs without a value, first"):
            evaluate(made, "small", reference=made.root / "thin", metrics=["psnr", "psnr-b"])

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"workers": 0}, "workers must be at least 1, not 0"),
            ({"alpha": "ignore"}, "unknown way to treat alpha 'ignore'"),
            ({"precision": "half"}, "unknown precision 'half'"),
            ({"datasets": "Set5-x2"}, "give either datasets by name or a folder of references"),
            ({"reference": None, "datasets": "Set5x2"}, "unknown dataset 'Set5x2'"),
            ({"reference": None, "metrics": ()}, "nothing says what to compare with"),
            ({"reference": None}, "psnr needs a reference, and dataset 'outputs' has none"),
            ({"reference": None, "dataset_name": "x"}, "dataset 'x' has none"),
            ({"metrics": "pnsr"}, "unknown metric 'pnsr'"),
        ],
    )
    def test_wrong_input_is_refused(self, made, options, message):
        with pytest.raises(IqbenchError) as caught:
            evaluate(made, "one", **options)
        assert message in str(caught.value)
        assert made.files() == {}

    def test_no_method_is_refused(self, made):
        with pytest.raises(IqbenchError, match="no method to score"):
            evaluate(made)


class TestMeasure:
    @pytest.fixture
    def pair(self, tmp_path) -> tuple[Path, Path]:
        write_png(tmp_path / "r.png", picture(0))
        write_png(tmp_path / "o.png", noisy(picture(0), 4))
        return tmp_path / "r.png", tmp_path / "o.png"

    def test_it_gives_what_evaluate_gives(self, made, pair):
        frame = iqbench.measure(*pair, metrics=("psnr", "ssim"), device="cpu")
        assert list(frame["metric"]) == ["psnr", "ssim"]
        assert {"value", "error", "direction", "decimals", "signature"} <= set(frame.columns)
        write_png(made.root / "out/one/a.png", noisy(picture(0), 4))
        rows = evaluate(made, "one", metrics=("psnr", "ssim")).query("image == 'a'")
        assert list(frame["value"]) == list(rows["value"])
        assert list(frame["signature"]) == list(rows["signature"])

    def test_one_metric_may_be_given_as_text(self, pair):
        frame = iqbench.measure(*map(str, pair), metrics="tv-ratio", device="cpu")
        assert list(frame["metric"]) == ["tv-ratio"]

    def test_equal_images_have_an_infinite_psnr(self, pair):
        frame = iqbench.measure(pair[0], pair[0], metrics="psnr", device="cpu")
        assert frame["value"].item() == np.inf

    def test_weights_may_be_given_as_text(self, pair, tmp_path):
        with pytest.raises(IqbenchError, match="given for the weights does not exist"):
            iqbench.measure(*pair, metrics="lpips", weights=str(tmp_path / "none"), device="cpu")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"alpha": "drop"}, "unknown way to treat alpha 'drop'"),
            ({"protocol": "sr-y"}, "needs its parameter 'scale'"),
            ({"device": "tpu"}, "unknown device 'tpu'"),
            ({"metrics": "psnr:x=1"}, "unknown option of metric 'psnr' 'x'"),
        ],
    )
    def test_wrong_input_is_refused(self, pair, options, message):
        with pytest.raises(IqbenchError) as caught:
            iqbench.measure(*pair, **{"metrics": "psnr", **options})
        assert message in str(caught.value)

    def test_a_pair_that_does_not_fit_is_refused(self, pair, tmp_path):
        write_png(tmp_path / "small.png", picture(0, height=20))
        with pytest.raises(IqbenchError, match=r"small.png has 32x20 pixels, its reference"):
            iqbench.measure(pair[0], tmp_path / "small.png", metrics="psnr")


def test_a_tilde_is_the_home_folder_wherever_a_path_is_given(made, monkeypatch):
    monkeypatch.chdir(made.root)
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(made.root / "home"))
    shutil.copytree("hr", "home/hr")
    scores = evaluate(made, "one", reference="~/hr", results="~/scores")
    assert Path("home/scores/scores").is_dir()
    assert len(iqbench.load_scores("~/scores")) == len(scores) == len(IMAGES)
    assert not Path("~").exists()


@pytest.mark.parametrize("name", ["results", "reference", "methods_in", "reference_set", "weights"])
def test_an_empty_path_is_not_the_working_folder(made, name):
    with pytest.raises(IqbenchError, match="a path is empty"):
        evaluate(made, "one", **{name: ""})


def test_a_long_name_of_a_method_is_no_path(made):
    name = "n" * 300
    scores = evaluate(made, methods=f"{name}={made.root / 'out' / 'one'}")
    assert set(scores["method"]) == {name}


def test_results_of_no_path_are_not_read():
    with pytest.raises(IqbenchError, match="a path is empty"):
        iqbench.load_scores("")
