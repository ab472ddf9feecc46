"""The statements of docs/doctor.md are true."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from iqbench.cli.doctor import doctor
from iqbench.metrics._registry import metric_classes

TEXT = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["psnr", "ssim", "tv", "perceptual", "lpips"])
def test_tolerances_are_those_of_the_code(name):
    (allowed,) = re.findall(rf"^\| {name} \| (.*?) \|", TEXT, re.MULTILINE)
    (tolerance,) = {column.tolerance for column in metric_classes()[name]().columns()}
    assert allowed == f"{tolerance.limit:.0e} {tolerance.unit}".strip()


def test_commands_have_the_options_that_are_written():
    commands = re.findall(r"^iqbench doctor[^#\n]*", TEXT, re.MULTILINE)
    assert len(commands) == 5
    for command in commands:
        doctor.make_context("doctor", shlex.split(command)[2:])


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert links
    for link in links:
        assert (Path(__file__).parents[2] / "docs" / link).is_file(), link
