"""Wrong input that `iqbench evaluate` refuses before it computes, with exit code 2."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from made_options import HR, ONE, PSNR
from needs import needs_permissions

from iqbench.engine.scorer import Scorer


def empty(*folders):
    def make():
        for folder in folders:
            Path(folder).mkdir(parents=True)

    return make


def block(line):
    def make():
        Path("sets.yaml").write_text(
            f"root: .\ndatasets:\n  x:\n    {line}\n    data: {{layout: folder, references: hr}}\n"
        )

    return make


def older_results():
    folder = Path("results/images/hr/one")
    folder.mkdir(parents=True)
    pd.DataFrame({"value": [1.0]}).to_parquet(folder / "0-old.parquet")


FILE = ("--datasets-file", "sets.yaml")
REFUSED = {
    "no method": (None, HR, "no method to score on hr. Give --method [NAME=]DIR"),
    "no method and no reference": (
        *(None, PSNR, "no method to score. Give --method [NAME=]DIR or --methods-in DIR"),
    ),
    "no reference": (
        None,
        ONE,
        "psnr needs a reference, and dataset 'outputs' has none. Give --reference DIR",
    ),
    "an empty protocol": (None, (*ONE, *HR, "--protocol", ""), "unknown protocol ''"),
    "an empty output name": (
        *(None, (*ONE, *HR, "--output-name", "")),
        "output name '' must hold {id} once",
    ),
    "an empty path": (None, (*ONE, "--reference", ""), "'--reference': the path is empty"),
    "no such method": (None, ("--method", "out/oen", *HR), "Did you mean out/one?"),
    "a method that is a file": (
        *(None, ("--method", "hr/a.png", *HR)),
        "method folder hr/a.png is a file, not a folder",
    ),
    "an empty method": (empty("none"), ("--method", "none", *HR), "method folder none is empty"),
    "an empty reference": (
        *(empty("none"), (*ONE, "--reference", "none")),
        "reference folder none holds no image",
    ),
    "no such reference": (
        *(None, (*ONE, "--reference", "rh")),
        "reference folder rh does not exist. Did you mean hr?",
    ),
    "methods without folders": (None, ("--methods-in", "hr", *HR), "hr has no sub-folders"),
    "a method without images": (
        *(empty("none/folder"), ("--method", "none", *HR)),
        "method 'none' did not attempt dataset 'hr': folder none holds no images, only folders",
    ),
    "two methods of one name": (
        *(None, (*ONE, "--method", "one=out/two", *HR)),
        "two methods are called 'one': out/one and out/two",
    ),
    "two templates of one name": (
        *(None, ("--method", "x=out/one/{id}_a", "--method", "x=out/one/{id}_b", *HR)),
        "two methods are called 'x': out/one/{id}_a and out/one/{id}_b",
    ),
    "an unknown dataset": (
        *(None, (*ONE, "--dataset", "Set5-x5")),
        "unknown dataset 'Set5-x5'. Did you mean 'Set5-x",
    ),
    "a dataset and a reference": (
        *(None, (*ONE, *HR, "--dataset", "Set5-x2")),
        "give either datasets by name or a folder of references, not both",
    ),
    "pairs and a reference": (
        *(None, (*HR, "--pairs", "pairs.csv")),
        "a file of pairs names its references itself. Give neither",
    ),
    "no such file of pairs": (
        *(lambda: Path("pairs.csv").touch(), ("--pairs", "pair.csv")),
        "file of pairs pair.csv does not exist. Did you mean pairs.csv?",
    ),
    "a file of references": (
        *(None, (*ONE, "--reference", "hr/a.png")),
        "reference folder hr/a.png is a file, not a folder. Give --reference DIR",
    ),
    "a name without a reference": (
        *(None, (*ONE, "--dataset-name", "x")),
        "psnr needs a reference, and dataset 'x' has none",
    ),
    "a dataset's name that is a path": (
        *(None, (*ONE, *HR, "--dataset-name", "../x")),
        "dataset name '../x' is not allowed",
    ),
    "no such datasets file": (
        *(None, (*ONE, "--dataset", "x", *FILE)),
        "datasets file sets.yaml does not exist",
    ),
    "a datasets file without a dataset": (
        *(None, (*ONE, *HR, *FILE)),
        "a datasets file is given, but no dataset of it. Give --dataset NAME",
    ),
    "a misspelt protocol of a dataset": (
        *(block("protocol: rbg"), (*ONE, "--dataset", "x", *FILE)),
        "dataset 'x': unknown protocol 'rbg'. Did you mean 'rgb'?",
    ),
    "an unknown key": (
        *(block("protocl: rgb"), (*ONE, "--dataset", "x", *FILE)),
        "sets.yaml: dataset 'x': unknown key 'protocl'. Did you mean 'protocol'?",
    ),
    "an unknown metric": (None, (*ONE, *HR, "--metric", "sim"), "Did you mean 'ssim'?"),
    "an unknown protocol": (
        *(None, (*ONE, *HR, "--protocol", "sr-yy:scale=2")),
        "unknown protocol 'sr-yy'. Did you mean 'sr-y'?",
    ),
    "a protocol without its scale": (
        *(None, (*ONE, *HR, "--protocol", "sr-y")),
        "protocol 'sr-y' needs its parameter 'scale'. Write sr-y:scale=4",
    ),
    "a template without the id": (
        *(None, (*ONE, *HR, "--output-name", "x4")),
        "output name 'x4' must hold {id} once",
    ),
    "an unknown way to match": (
        *(None, (*ONE, *HR, "--match", "number")),
        "unknown way to match names 'number'. Did you mean 'numbers'?",
    ),
    "a template of no references": (
        *(None, (*ONE, "--dataset", "Set5-x2", "--reference-name", "{id}_HR")),
        "a template of the references' names is given without a folder of references",
    ),
    "a template of references without a name": (
        *(None, (*ONE, *HR, "--reference-name", "HR")),
        "id template 'HR' must hold a name in braces",
    ),
    "a template that no reference fits": (
        *(None, (*ONE, *HR, "--reference-name", "{id}_HR")),
        "is not named as references are, '{id}_HR'",
    ),
    "an unknown device": (None, (*ONE, *HR, "--device", "gpu"), "unknown device 'gpu'"),
    "tf32 on a CPU": (
        *(None, (*ONE, *HR, "--device", "cpu", "--precision", "tf32")),
        "precision tf32 exists on GPUs only",
    ),
    "a folder of weights that is none": (
        *(None, (*ONE, *HR, "--metric", "lpips", "--weights", "nowhere")),
        "nowhere",
    ),
    "an unknown option": (None, (*ONE, *HR, "--metrics", "psnr"), "No such option"),
    "an unknown precision": (None, (*ONE, *HR, "--precision", "half"), "'half' is not one of"),
    "no workers": (None, (*ONE, *HR, "--workers", "0"), "0 is not in the range"),
    "memory in words": (None, (*ONE, *HR, "--memory", "much"), "is not a size of at least 1M"),
    "too little memory": (None, (*ONE, *HR, "--memory", "1000"), "is not a size of at least 1M"),
    "results that are a file": (
        *(lambda: Path("results").write_text(""), (*ONE, *HR)),
        "cannot write results to results/images/hr/one",
    ),
    "results of another version": (
        *(older_results, (*ONE, *HR)),
        "results/images/hr/one/0-old.parquet was written by another version of iqbench",
    ),
}


@pytest.mark.parametrize(("prepare", "arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_wrong_input_is_refused_in_one_sentence_before_anything_is_computed(
    folders, iqbench, monkeypatch, prepare, arguments, message
):
    monkeypatch.setattr(Scorer, "start", None)
    if prepare:
        prepare()
    before = sorted(Path().rglob("*"))
    metric = () if "--metric" in arguments else PSNR
    ran = iqbench("evaluate", *arguments, *metric)
    assert ran.code == 2
    assert ran.out == ""
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert sorted(Path().rglob("*")) == before


def test_a_misspelt_metric_of_a_dataset_is_refused_unless_the_user_names_others(folders, iqbench):
    block("metrics: [sim]")()
    ran = iqbench("evaluate", *ONE, "--dataset", "x", *FILE)
    assert ran.code == 2
    assert "error: dataset 'x': unknown metric 'sim'. Did you mean 'ssim'?" in ran.err
    assert iqbench("evaluate", *ONE, "--dataset", "x", *FILE, *PSNR).code == 0


def test_a_limit_of_pixels_that_is_no_number_is_refused_once(folders, iqbench, monkeypatch):
    monkeypatch.setenv("IQBENCH_MAX_PIXELS", "many")
    ran = iqbench("evaluate", *ONE, *HR, *PSNR)
    assert ran.code == 2
    assert ran.err.count("IQBENCH_MAX_PIXELS is 'many'") == 1
    assert not Path("results").exists()


@needs_permissions
def test_folders_without_permission_are_named(folders, iqbench):
    for folder, message in (
        ("out/one", "cannot list folder out/one: Permission denied"),
        ("results", "cannot write results to"),
    ):
        Path(folder).mkdir(exist_ok=True)
        Path(folder).chmod(0)
        ran = iqbench("evaluate", *ONE, *HR, *PSNR)
        Path(folder).chmod(0o700)
        assert ran.code == 2
        assert message in ran.err


class TestWithoutWeights:
    @pytest.fixture(autouse=True)
    def _nowhere(self, folders, monkeypatch):
        for variable in ("IQBENCH_WEIGHTS", "IQBENCH_CACHE"):
            Path(variable).mkdir()
            monkeypatch.setenv(variable, variable)

    def test_the_default_metrics_are_refused_before_anything_is_written(self, iqbench):
        ran = iqbench("evaluate", *ONE, *HR)
        assert ran.code == 2
        for text in ("vgg16", "alexnet", "iqbench weights fetch", "--metric psnr --metric ssim"):
            assert text in ran.err
        assert ran.err.count("\n") == 1
        assert not Path("results").exists()

    def test_metrics_on_pixels_run(self, iqbench):
        ran = iqbench("evaluate", *ONE, *HR, *PSNR, "--metric", "ssim", "--metric", "tv")
        assert ran.code == 0
