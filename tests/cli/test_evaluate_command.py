"""`iqbench evaluate`: folders in, tables out, the right exit code, one clear sentence each."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pandas as pd
import pytest
from made_folders import picture

from iqbench.engine.scorer import Scorer
from iqbench.images.write import write_png
from iqbench.results.read import load_scores

PSNR = ("--metric", "psnr")


@pytest.fixture
def folders(made):
    made.references()
    made.method("one")
    made.method("two")
    return made


def test_tables_are_written_and_the_way_on_is_shown(folders, iqbench):
    ran = iqbench("evaluate", "--methods-in", "out", "--reference", "hr", *PSNR)
    assert ran.code == 0
    assert ran.out == ""
    assert ran.err == "Outputs: 6 scored.\nTables are in results. Next: iqbench leaderboard\n"
    assert len(load_scores()) == 6
    shown = iqbench("leaderboard")
    assert shown.code == 0
    assert "ranked by psnr" in shown.out
    assert shown.err == ""


def test_a_second_run_says_that_nothing_was_left_to_do(folders, iqbench):
    command = ("evaluate", "--method", "out/one", "--method", "2=out/two", "--reference", "hr")
    iqbench(*command, *PSNR)
    ran = iqbench(*command, *PSNR)
    assert ran.code == 0
    assert ran.err.startswith("Outputs: 0 scored, 6 already in the tables.\n")
    assert iqbench(*command, *PSNR, "--recompute").err.startswith("Outputs: 6 scored.\n")


def test_another_results_folder_is_quoted_for_the_shell(folders, iqbench):
    ran = iqbench(
        *("evaluate", "--method", "out/one", "--reference", "hr", *PSNR, "--results", "my results")
    )
    assert ran.err.endswith("Tables are in 'my results'. Next: iqbench leaderboard 'my results'\n")
    assert Path("my results/scores").is_dir()


def test_failures_are_named_on_stderr_and_make_exit_3(folders, iqbench):
    Path("out/two/b.png").write_bytes(b"")
    Path("out/one/x.png").write_bytes(b"")
    ran = iqbench("evaluate", "--methods-in", "out", "--reference", "hr", *PSNR)
    assert ran.code == 3
    assert ran.out == ""
    assert ran.err.splitlines()[:3] == [
        "warning: method 'one': out/one holds more than outputs for the images of 'hr'; "
        "left out: x.png",
        "not scored: hr / two / b: out/two/b.png is empty (0 bytes). Write or copy the file again",
        "Outputs: 5 scored, 1 could not be scored.",
    ]
    quiet = iqbench("evaluate", "--methods-in", "out", "--reference", "hr", *PSNR, "--quiet")
    assert quiet.code == 3
    assert "warning" not in quiet.err
    assert "not scored: hr / two / b" in quiet.err


def test_of_many_failures_of_a_method_the_first_are_named_and_the_rest_are_counted(made, iqbench):
    images = [f"{number:02}" for number in range(22)]
    made.references(images)
    made.method("one", images[:1])
    made.method("two", images[:-1])
    ran = iqbench("evaluate", "--methods-in", "out", "--reference", "hr", *PSNR)
    assert ran.code == 3
    lines = [line for line in ran.err.splitlines() if line.startswith("not scored")]
    assert [line.partition(": missing")[0] for line in lines[:20]] == [
        f"not scored: hr / one / {image}" for image in images[1:21]
    ]
    assert lines[20:] == [
        "not scored: hr / one: 1 more; all are in column error of iqbench export -o scores.csv",
        "not scored: hr / two / 21: missing output: no 21.* in out/two",
    ]
    iqbench("export", "-o", "scores.csv")
    kept = pd.read_csv("scores.csv", dtype={"image": str})
    assert set(kept["image"][kept["error"].notna() & (kept["method"] == "one")]) == set(images[1:])


def test_no_name_can_move_the_cursor(folders, iqbench):
    odd = "out/odd\x1b[31m\nname"
    Path("out/two").rename(odd)
    Path(odd, "b.png").unlink()
    Path(odd, "c\x1b[2J.png").write_bytes(b"")
    ran = iqbench("evaluate", "--method", f"x={odd}", "--reference", "hr", *PSNR)
    assert ran.code == 3
    assert "\x1b" not in ran.err
    assert r"out/odd\x1b[31m\nname" in ran.err
    refused = iqbench("evaluate", "--method", odd, "--reference", "hr", *PSNR)
    assert refused.code == 2
    assert "\x1b" not in refused.err
    assert refused.err.count("\n") == 1


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


ONE = ("--method", "out/one")
HR = ("--reference", "hr")
FILE = ("--datasets-file", "sets.yaml")
REFUSED = {
    "no method": (None, HR, "no method to score on hr. Give --method [NAME=]DIR"),
    "no reference": (None, ONE, "nothing says what to compare with. Give --reference DIR"),
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
        "a dataset name is given without a folder of references",
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
    "memory in words": (None, (*ONE, *HR, "--memory", "much"), "is no size of at least 1M"),
    "too little memory": (None, (*ONE, *HR, "--memory", "1000"), "is no size of at least 1M"),
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


def test_a_workable_memory_limit_changes_nothing(folders, iqbench):
    iqbench("evaluate", *ONE, *HR, *PSNR)
    iqbench("evaluate", *ONE, *HR, *PSNR, "--memory", "1.5MiB", "--results", "small")
    assert load_scores("small").equals(load_scores())


@pytest.mark.skipif(os.geteuid() == 0, reason="root lists and writes everywhere")
def test_folders_without_permission_are_named(folders, iqbench):  # pragma: no cover
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


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_exits_130_and_keeps_what_was_scored(folders, iqbench, monkeypatch, signal_):
    start = Scorer.start
    calls = []

    def interrupt(self, batch):
        calls.append(batch)
        if len(calls) == 3:
            os.kill(os.getpid(), signal_)
        return start(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Scorer, "start", interrupt)
        ran = iqbench("evaluate", *ONE, *HR, *PSNR)
    assert ran.code == 130
    assert ran.err.strip() == (
        "error: interrupted; what was scored is kept, and evaluate goes on from there"
    )
    assert set(load_scores()["image"]) == {"a", "b"}
    assert "1 scored, 2 already in the tables" in iqbench("evaluate", *ONE, *HR, *PSNR).err


@pytest.mark.usefixtures("folders")
def test_an_internal_error_exits_70_with_one_line(iqbench, monkeypatch):
    def fail(self, batch):
        raise ZeroDivisionError("oh\x1b[31m")

    monkeypatch.setattr(Scorer, "start", fail)
    ran = iqbench("evaluate", *ONE, *HR, *PSNR)
    assert ran.code == 70
    assert ran.err.startswith("error: internal error: ZeroDivisionError: oh\\x1b[31m. ")
    assert "iqbench --debug" in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.usefixtures("folders")
def test_progress_is_shown_where_stderr_is_a_terminal(iqbench, monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    ran = iqbench("evaluate", *ONE, *HR, *PSNR)
    assert ran.code == 0
    assert "hr" in ran.err
    assert "3/3" in ran.err
    assert "outputs/s" in ran.err
    assert "3/3" not in iqbench("evaluate", *ONE, *HR, *PSNR, "-q").err


def test_transparency_is_composited_on_request(made, iqbench):
    from PIL import Image

    made.references(("a",))
    Path("out/x").mkdir(parents=True)
    Image.fromarray(picture(0)).convert("RGBA").save("out/x/a.png")
    command = ("evaluate", "--method", "out/x", *HR, *PSNR)
    assert "has transparency. Pass --alpha composite" in iqbench(*command).err
    assert iqbench(*command, "--alpha", "composite").code == 0
    write_png(Path("out/x/a.png"), picture(0))
    assert iqbench(*command).code == 0


def test_pairs_are_named_by_a_table(folders, iqbench):
    rows = "".join(f"hr/{image}.png,out/one/{image}.png,mine\n" for image in ("a", "b"))
    Path("pairs.csv").write_text(f"reference,output,method\n{rows}")
    ran = iqbench("evaluate", "--pairs", "pairs.csv", *PSNR)
    assert ran.code == 0
    scores = load_scores("results")
    assert scores["dataset"].tolist() == ["pairs"] * 2
    assert scores["method"].tolist() == ["mine"] * 2
    assert scores["image"].tolist() == ["hr/a", "hr/b"]
    assert scores["value"].notna().all()


def test_pairs_that_bring_outputs_take_no_method(folders, iqbench):
    Path("pairs.csv").write_text("reference,output\nhr/a.png,out/one/a.png\n")
    ran = iqbench("evaluate", "--pairs", "pairs.csv", "--dataset-name", "mine", *ONE, *PSNR)
    assert ran.code == 2
    assert "mine brings its own distorted images and takes no method" in ran.err
