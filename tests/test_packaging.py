"""The built packages can be installed elsewhere, and are complete."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(find_spec("hatchling") is None, reason="hatchling is not installed")


def build(kind, source, target):
    """Build a wheel or a source distribution with the backend that pyproject.toml names."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", target]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=60)
    (file,) = Path(target).iterdir()
    return file


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The source distribution, unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    archive = build("sdist", ROOT, folder / "built")
    with tarfile.open(archive) as packed:
        # Python before 3.10.12 and 3.11.4, Debian 12's among them, has no filters.
        packed.extraction_filter = getattr(tarfile, "data_filter", None)
        packed.extractall(folder)
    return folder / archive.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def installed(source, tmp_path_factory):
    """What a wheel installs; the wheel is built from the source distribution."""
    folder = tmp_path_factory.mktemp("wheel")
    wheel = build("wheel", source, folder / "built")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "site")
    return folder / "site"


def files(folder):
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".so"
    }


def test_the_wheel_holds_every_file_of_the_package(installed):
    held = files(installed / "iqbench")
    assert held == files(ROOT / "iqbench")
    assert {"py.typed", "datasets.yaml", "protocols/presets.yaml"} <= held
    (information,) = installed.glob("iqbench-*.dist-info")
    assert (information / "licenses" / "LICENSE").is_file()


def test_a_wheel_with_compiled_loops_is_for_one_platform_and_any_python(installed):
    (information,) = installed.glob("iqbench-*.dist-info")
    compiled = any(installed.glob("iqbench/native/*.so"))
    platform = "py3-none-linux_x86_64" if compiled else "py3-none-any"
    assert f"Tag: {platform}\n" in (information / "WHEEL").read_text(encoding="utf-8")


def test_the_source_distribution_can_be_worked_in(source):
    assert {"Makefile", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "CITATION.cff"} <= {
        path.name for path in source.iterdir()
    }
    # At the top of the repository it is a link into the package.
    datasets = (source / "datasets.yaml").read_text(encoding="utf-8")
    assert datasets == (ROOT / "iqbench" / "datasets.yaml").read_text(encoding="utf-8")


def test_what_is_installed_works_from_another_folder(installed, tmp_path):
    code = """
import sys
from pathlib import Path
import iqbench
assert Path(iqbench.__file__).is_relative_to(sys.argv[1]), iqbench.__file__
from iqbench.losses import TVLoss
from iqbench.cli.main import cli
for command in (["datasets", "list"], ["metrics", "list"], ["protocols", "list"]):
    cli.main(command, standalone_mode=False)
"""
    environment = {**os.environ, "PYTHONPATH": str(installed), "COLUMNS": "200"}
    result = subprocess.run(
        [sys.executable, "-c", code, str(installed)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    for name in ("demo-denoise", "lpips-alex", "sr-y-rounded"):
        assert name in result.stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_every_lower_bound_is_pinned_where_the_lowest_versions_are_tested(tmp_path):
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    asked = {Requirement(text) for text in [*project["dependencies"], *chain(*extras)]}
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()  # make would make an environment first
    pins = tmp_path / "lowest.txt"
    subprocess.run(["make", "--silent", f"VENV={tmp_path}", pins], cwd=ROOT, check=True)
    pinned = {Requirement(line) for line in pins.read_text(encoding="utf-8").splitlines()}
    assert {(item.name, str(item.specifier)[2:]) for item in pinned} == {
        (item.name, str(item.specifier)[2:]) for item in asked if item.name != "iqbench"
    }
    assert all(str(item.specifier).startswith("==") for item in pinned)
