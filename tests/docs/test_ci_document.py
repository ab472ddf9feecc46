"""The workflow and the Python code of docs/ci.md work."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import cv2
import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from documents import blocks, command_lines

from iqbench.cli.main import cli
from iqbench.images.write import write_png
from iqbench.networks.weights.store import cache_folder

GITHUB, GITLAB, HOOKS = (yaml.safe_load(block) for block in blocks("docs/ci.md", "yaml"))
STEPS = GITHUB["jobs"]["check"]["steps"]
HOOKS_ENTRIES = [hook["entry"] for hook in HOOKS["repos"][0]["hooks"]]
EVALUATE, CHECK = (
    next(step["run"] for step in STEPS if step.get("run", "").startswith(f"iqbench {name} "))
    for name in ("evaluate", "check")
)
MAKE_BASELINE = command_lines("docs/ci.md")[:2]
RUNS = [
    *(step["run"] for step in STEPS if "run" in step),
    *GITLAB["quality"]["script"],
    *HOOKS_ENTRIES,
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A method's outputs and references, and the baseline made as the page says."""
    generator = np.random.default_rng(0)
    for number in range(5):
        reference = cv2.GaussianBlur(generator.random((48, 48, 3)), (0, 0), 2.0)
        noisy = reference + generator.normal(0, 0.01, reference.shape)
        for name, pixels in (("data/hr", reference), ("outputs/mine", noisy)):
            path = tmp_path / name / f"{number}.png"
            write_png(path, np.rint(255 * np.clip(pixels, 0, 1)).astype(np.uint8))
    monkeypatch.chdir(tmp_path)
    for command in MAKE_BASELINE:
        evaluate(command)
    return tmp_path


def evaluate(command: str) -> None:
    """Score in this process: starting torch in another one takes seconds."""
    ran = CliRunner().invoke(cli, shlex.split(command)[1:], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output


def run_check() -> subprocess.CompletedProcess[str]:
    """Run the step that checks as a runner does, with the iqbench of this environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-c", CHECK],
        env={**os.environ, "PATH": path, "GITHUB_STEP_SUMMARY": "summary.md"},
        capture_output=True,
        text=True,
        check=False,
    )


def parsed(command: str) -> None:
    """Let click read the words of a command of iqbench, without running it."""
    group: Any = cli
    words = shlex.split(command.partition(" #")[0])[1:]
    context = click.Context(cli)
    while isinstance(group, click.Group):
        name, group, words = group.resolve_command(context, words)
        context = click.Context(group, parent=context, info_name=name)
    group.make_parser(context).parse_args(words)


@pytest.mark.parametrize("command", sorted({run for run in RUNS if run.startswith("iqbench ")}))
def test_commands_of_all_files_exist_with_their_options(command: str) -> None:
    parsed(command)


def test_all_files_score_and_check_alike() -> None:
    for runs in (GITLAB["quality"]["script"], HOOKS_ENTRIES):
        assert EVALUATE in runs
        assert any(run.startswith("iqbench check --baseline baseline.jsonl") for run in runs)


def test_every_other_step_is_one_that_a_runner_has() -> None:
    """Nothing but iqbench, pip and the project's own script is run."""
    starts = ("iqbench ", "pip install ", "python restore.py ")
    assert [run for run in RUNS if not run.startswith(starts)] == []


def test_caches_hold_what_pip_and_iqbench_keep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IQBENCH_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    (cached,) = (step["with"]["path"] for step in STEPS if "actions/cache" in step.get("uses", ""))
    assert Path(cached).expanduser() in cache_folder().parents
    places = [GITLAB["quality"]["variables"][name] for name in ("PIP_CACHE_DIR", "IQBENCH_CACHE")]
    (kept,) = GITLAB["quality"]["cache"]["paths"]
    assert all(place.startswith(f"$CI_PROJECT_DIR/{kept}") for place in places)


def test_what_the_workflow_of_gitlab_keeps_is_written(project: Path) -> None:
    evaluate(EVALUATE)
    (command,) = (run for run in GITLAB["quality"]["script"] if run.startswith("iqbench check"))
    evaluate(command)
    artifacts = GITLAB["quality"]["artifacts"]
    names = [*artifacts["paths"], artifacts["reports"]["junit"]]
    assert [name for name in names if not (project / name).exists()] == []


def test_the_steps_pass_on_what_the_baseline_was_made_of(project: Path) -> None:
    evaluate(EVALUATE)
    done = run_check()
    assert done.returncode == 0, done.stderr
    assert "Regression check passed: 2 same" in (project / "summary.md").read_text("utf-8")


def test_the_check_fails_on_worse_outputs_and_leaves_what_the_workflow_keeps(project: Path) -> None:
    for path in (project / "outputs/mine").iterdir():
        write_png(path, cv2.GaussianBlur(cv2.imread(str(path)), (0, 0), 3.0))
    evaluate(EVALUATE)
    done = run_check()
    assert done.returncode == 1
    assert "| worse | mine | psnr" in (project / "summary.md").read_text("utf-8")
    assert "::error file=baseline.jsonl,line=" in done.stdout
    failures = ElementTree.parse(project / "check.xml").iter("failure")
    assert [failure.get("type") for failure in failures] == ["worse", "worse"]
    kept = STEPS[-1]["with"]["path"].split()
    assert [name for name in kept if not (project / name).exists()] == []


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("document", ["docs/ci.md", "docs/leaderboard.md", "docs/correlation.md"])
def test_results_are_dataframes_from_python_too(document: str) -> None:
    evaluate(EVALUATE)
    (snippet,) = blocks(document, "python")
    names: dict[str, Any] = {}
    exec(compile(snippet, document, "exec"), names)
    shown = {
        "docs/ci.md": lambda: names["found"].rows,
        "docs/leaderboard.md": lambda: names["board"].table.frame,
        "docs/correlation.md": lambda: names["found"].between,
    }[document]()
    assert isinstance(shown, pd.DataFrame)
    assert len(shown)
