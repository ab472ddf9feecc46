"""Tables are read without the packages for scoring; errors name missing packages."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from golden_run import EXPECTED, parted
from packaging.requirements import Requirement
from run_without_scoring import GOLDEN, READING, SCORES

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("run_without_scoring.py")
SEARCHED = os.pathsep.join(str(folder) for folder in PROGRAM.parents[:2])

NO_DECODERS = (
    "not installed are opencv-python-headless, imagecodecs, simplejpeg (pip install iqbench)"
)
NO_PICTURES = (
    "none lies where it was scored and is still the same (--outputs and --reference say where to "
    "look)"
)
"""What a page says of its pictures without the decoders, and with them where files are gone."""


def ran_in(interpreter, folder, *arguments, path):
    """Run the program and return what the commands said."""
    ran = subprocess.run(
        [*interpreter, str(PROGRAM), str(folder), *arguments],
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What the commands say where the packages cannot be imported."""
    path = os.pathsep.join((SEARCHED, str(ROOT)))
    return ran_in([sys.executable], tmp_path_factory.mktemp("light"), path=path)


def assert_golden(told, name):
    words, numbers = parted(told)
    expected_words, expected_numbers = parted((EXPECTED / name).read_text(encoding="utf-8"))
    assert words == expected_words
    assert numbers == pytest.approx(expected_numbers, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", GOLDEN)
def test_a_reading_command_prints_the_same_without_these_packages(said, name):
    assert said["there"] == []
    assert_golden(said["golden"][name], name)


@pytest.mark.parametrize("name", READING)
def test_other_reading_commands_work(said, name):
    code, output, messages = said["reading"][name]
    assert code == (1 if name in ("check page", "doctor") else 0), messages
    assert output or messages.startswith(("wrote", "left out", "imported"))


def test_what_a_report_leaves_out_is_said(said):
    assert f"left out: pictures: {NO_DECODERS}" in said["reading"]["report"][2]


@pytest.mark.parametrize("name", SCORES)
def test_a_scoring_command_names_the_package_and_how_to_install_it(said, name):
    code, output, messages = said["scores"][name]
    assert (code, output) == (2, "")
    (line,) = messages.splitlines()
    assert line.startswith("error: the package ")
    assert line.endswith(" is not installed. pip install iqbench")


def installed_with(requirements):
    """The distributions that pip would install for these, as far as they are here."""
    found, waiting = {}, [Requirement(text) for text in requirements]
    while waiting:
        wanted = waiting.pop()
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        if wanted.name.lower() in found:
            continue
        try:
            there = distribution(wanted.name)
        except PackageNotFoundError:
            pytest.skip(f"{wanted.name} is not installed")
        found[wanted.name.lower()] = there
        waiting += map(Requirement, there.requires or [])
    return found.values()


@pytest.mark.slow
def test_the_distribution_for_tables_brings_all_that_its_commands_need(tmp_path):
    """A folder with its wheel and what that requires: every command, in every format."""
    if not (ROOT / "iqbench-tables" / "iqbench").exists():
        pytest.skip("a source distribution has no link to the package")
    wheels, site = tmp_path / "wheels", tmp_path / "site"
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory"]
    subprocess.run([*command, wheels], cwd=ROOT / "iqbench-tables", check=True, capture_output=True)
    (wheel,) = wheels.iterdir()
    assert wheel.name.endswith("-py3-none-any.whl")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, "--target", site, wheel], check=True, capture_output=True)
    (information,) = site.glob("iqbench_tables-*.dist-info")
    required = [
        line.removeprefix("Requires-Dist: ")
        for line in (information / "METADATA").read_text(encoding="utf-8").splitlines()
        if line.startswith("Requires-Dist: ")
    ]
    for one in installed_with(required):
        for file in one.files or []:
            top = file.parts[0]
            if top not in ("..", "__pycache__") and not (site / top).exists():
                (site / top).symlink_to(one.locate_file(top))
    path = os.pathsep.join((SEARCHED, str(site)))
    said = ran_in([sys.executable, "-S"], tmp_path / "run", "everything", path=path)
    assert sorted(said["golden"]) == sorted(file.name for file in EXPECTED.iterdir())
    for name, told in said["golden"].items():
        assert_golden(told.replace(NO_DECODERS, NO_PICTURES), name)
    assert said["there"] == []
    assert {code for code, _, _ in said["scores"].values()} == {2}
    assert re.search(
        r"torch +.*torch is not installed: python -m pip", said["reading"]["doctor"][1]
    )
