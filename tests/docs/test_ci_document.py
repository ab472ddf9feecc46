"""The workflow of docs/ci.md does what it says, and so does the Python of pages on results."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from documents import blocks, command_lines

from iqbench.cli.main import cli
from iqbench.images.write import write_png

STEPS = yaml.safe_load(blocks("docs/ci.md", "yaml")[0])["jobs"]["check"]["steps"]
EVALUATE, CHECK = (step["run"] for step in STEPS if step.get("run", "").startswith("iqbench "))
MAKE_BASELINE = command_lines("docs/ci.md")[0]


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
    evaluate(MAKE_BASELINE)
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


def test_the_steps_pass_on_what_the_baseline_was_made_of(project: Path) -> None:
    evaluate(EVALUATE)
    done = run_check()
    assert done.returncode == 0, done.stderr
    assert "Regression check passed: 2 same" in (project / "summary.md").read_text("utf-8")


def test_the_check_fails_on_worse_outputs_and_leaves_what_the_workflow_keeps(project: Path) -> None:
    for path in (project / "outputs/mine").iterdir():
        write_png(path, cv2.GaussianBlur(cv2.imread(str(path)), (0, 0), 3.0))
    evaluate(EVALUATE)
    assert run_check().returncode == 1
    assert "| worse | mine | psnr" in (project / "summary.md").read_text("utf-8")
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
