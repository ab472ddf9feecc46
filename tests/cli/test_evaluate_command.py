"""`iqbench evaluate`: from folders to tables, with exit codes and clear messages."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from pathlib import Path

import pandas as pd
import pytest
from made_folders import picture
from made_options import HR, ONE, PSNR

from iqbench.engine.scorer import Scorer
from iqbench.images.write import write_png
from iqbench.results.read import load_scores


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


def test_names_that_differ_are_paired_by_the_option_in_the_hint(folders, iqbench):
    for number, image in enumerate("abc", start=1):
        Path(f"hr/{image}.png").rename(f"hr/IMG_{number:04}.png")
        Path(f"out/one/{image}.png").rename(f"out/one/img_{number}.png")
    ran = iqbench("evaluate", *ONE, *HR, *PSNR)
    assert ran.code == 3
    assert (
        "warning: method 'one' lacks outputs for 3 of 3 images of 'hr'. 3 outputs would fit with "
        "--match case,numbers: upper and lower case are the same and numbers are compared as "
        "numbers (0001 is 1)\n"
    ) in ran.err
    for option in (("--match", "case,numbers"), ("--match", "numbers", "--match", "case")):
        assert iqbench("evaluate", *ONE, *HR, *PSNR, *option, "--recompute").code == 0
    assert set(load_scores()["image"]) == {"IMG_0001", "IMG_0002", "IMG_0003"}
    assert load_scores()["value"].notna().all()


def test_templates_say_where_the_id_is_on_both_sides(folders, iqbench):
    for image in "abc":
        Path(f"hr/{image}.png").rename(f"hr/{image}_HR.png")
        Path(f"out/one/{image}.png").rename(f"out/one/{image}_SR.png")
    options = ("--reference-name", "{id}_HR", "--output-name", "{id}_SR")
    ran = iqbench("evaluate", *ONE, *HR, *PSNR)
    assert "would fit with --reference-name '{id}_HR' --output-name '{id}_SR'\n" in ran.err
    assert iqbench("evaluate", *ONE, *HR, *PSNR, *options).code == 0
    assert {"a", "b", "c"} <= set(load_scores()["image"])


def renamed(method: str, template: str) -> None:
    for image in "abc":
        Path(f"out/{method}/{image}.png").rename(f"out/{method}/{template.format(image)}")


def test_each_method_may_have_a_template_and_the_hint_gives_it(folders, iqbench):
    renamed("two", "{}_denoised.png")
    ran = iqbench("evaluate", "--methods-in", "out", *HR, *PSNR)
    assert ran.code == 3
    option = "--method 'two=out/two/{id}_denoised'"
    told = "method 'two' lacks outputs for 3 of 3 images of 'hr'. 3 outputs would fit with "
    assert f"{told}{option}\n" in ran.err
    command = ("evaluate", "--methods-in", "out", *HR, *PSNR)
    ran = iqbench(*command, *shlex.split(option))
    assert (ran.code, ran.err.partition("\n")[0]) == (
        0,
        "Outputs: 3 scored, 3 already in the tables.",
    )
    assert load_scores()["value"].notna().all()


def test_methods_of_one_naming_are_given_one_option(folders, iqbench):
    for method in ("one", "two"):
        renamed(method, "{}_x4.png")
    ran = iqbench("evaluate", "--methods-in", "out", *HR, *PSNR)
    assert ran.err.count("3 outputs would fit with --output-name '{id}_x4'\n") == 2


def test_methods_of_several_namings_are_given_an_option_each(folders, iqbench):
    renamed("one", "{}_x4.png")
    renamed("two", "{}_denoised.png")
    ran = iqbench("evaluate", "--methods-in", "out", *HR, *PSNR)
    assert "with --method 'one=out/one/{id}_x4'\n" in ran.err
    assert "with --method 'two=out/two/{id}_denoised'\n" in ran.err


def test_a_wrong_template_of_a_method_is_corrected_by_its_own_option(folders, iqbench):
    renamed("two", "{}_denoised.png")
    ran = iqbench("evaluate", "--method", "2=out/two/{id}_x4", *HR, *PSNR)
    assert "3 outputs would fit with --method '2=out/two/{id}_denoised'\n" in ran.err


def test_outputs_without_references_are_matched_by_the_template_of_each(folders, iqbench):
    renamed("two", "{}_denoised.png")
    ran = iqbench(
        *("evaluate", "--method", "out/one", "--method", "out/two/{id}_denoised.png"),
        *("--metric", "piqe"),
    )
    assert "lacks" not in ran.err
    found = load_scores().groupby("method", observed=True)["image"].agg(set)
    assert found.to_dict() == {method: {"a", "b", "c"} for method in ("one", "two")}


@pytest.mark.parametrize(
    "option",
    ["--output-name", "--reference-name", "--methods-in", "--reference", "--pairs", "--protocol"],
)
def test_an_option_of_one_value_is_not_given_twice(folders, iqbench, option):
    ran = iqbench("evaluate", *ONE, *HR, *PSNR, option, "{id}_a", option, "{id}_b")
    assert ran.code == 2
    given = 3 if option == "--reference" else 2
    assert f"Invalid value for '{option}': it is given {given} times" in ran.err
    assert "'{id}_b'" in ran.err
    assert ("--method 'NAME=DIR/{id}_x4'" in ran.err) == (option == "--output-name")
    assert not Path("results").exists()


def test_failures_are_named_on_stderr_and_make_exit_3(folders, iqbench):
    Path("out/two/b.png").write_bytes(b"")
    Path("out/one/x.png").write_bytes(b"")
    ran = iqbench("evaluate", "--methods-in", "out", "--reference", "hr", *PSNR)
    assert ran.code == 3
    assert ran.out == ""
    assert ran.err.splitlines()[:3] == [
        "warning: method 'one': out/one holds files that are not outputs for images of 'hr'; "
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


def test_a_workable_memory_limit_changes_nothing(folders, iqbench):
    iqbench("evaluate", *ONE, *HR, *PSNR)
    iqbench("evaluate", *ONE, *HR, *PSNR, "--memory", "1.5MiB", "--results", "small")
    assert load_scores("small").equals(load_scores())


SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


@pytest.mark.parametrize("signal_", SIGNALS)
def test_an_interrupt_exits_130_and_keeps_the_scores(folders, iqbench, monkeypatch, signal_):
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


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_a_signal_that_is_ignored_stays_so(folders, iqbench, monkeypatch):
    start = Scorer.start

    def hang_up(self, batch):
        os.kill(os.getpid(), signal.SIGHUP)
        return start(self, batch)

    monkeypatch.setattr(Scorer, "start", hang_up)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        assert iqbench("evaluate", *ONE, *HR, *PSNR).code == 0
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


TERMINAL = """
import time
from iqbench.cli.main import main
from iqbench.engine.scorer import Scorer

start, calls = Scorer.start, []

def wait(self, batch):
    calls.append(batch)
    if len(calls) == 3:
        print("waiting", flush=True)
        time.sleep(60)
    return start(self, batch)

Scorer.start = wait
main(["evaluate", "--method", "one=out/one", "--reference", "hr", "--metric", "psnr"])
"""


@pytest.mark.skipif(
    sys.platform != "linux",
    reason="a closed pseudo-terminal hangs up its processes so on Linux only",
)
def test_a_terminal_that_is_closed_interrupts_and_is_not_written_to(folders):
    import pty  # is not there on Windows

    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", TERMINAL])
    shown = b""
    while b"waiting" not in shown:
        shown += os.read(terminal, 1024)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 130
    assert set(load_scores()["image"]) == {"a", "b"}


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
    shown = Image.fromarray(picture(0))
    shown.putalpha(128)
    shown.save("out/x/a.png")
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


def test_gray_outputs_of_colour_references_need_an_option(made, iqbench):
    made.references(("a",))
    folder = made.method("luma", ("a",))
    write_png(folder / "a.png", picture(0, channels=1))
    asked = ("evaluate", "--method", "out/luma", *HR, "--protocol", "derain-y", *PSNR)
    refused = iqbench(*asked)
    assert refused.code == 3
    assert "its values may be the protocol's luma, or gray of three equal channels" in refused.err
    assert iqbench(*asked, "--gray-output", "luma").code == 0
