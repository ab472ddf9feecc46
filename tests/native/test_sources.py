"""The loops in C compile without warnings during the installation."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "iqbench" / "native").glob("*.c"))

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="they are for Linux"),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc"),
    pytest.mark.skipif(
        importlib.util.find_spec("hatchling") is None, reason="hatchling is not installed"
    ),
]


@pytest.fixture(scope="module")
def building():
    """What compiles while iqbench is installed."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def hook(building, monkeypatch, tmp_path):
    """The hook, for sources of a folder."""
    monkeypatch.setattr(building, "FOLDER", tmp_path)
    monkeypatch.setattr(building.platform, "machine", lambda: "x86_64")
    monkeypatch.delenv("CC", raising=False)
    return building.NativeBuildHook(str(tmp_path), {}, None, None, str(tmp_path), "wheel")


def built(hook):
    data = {}
    hook.initialize("standard", data)
    return data


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
@pytest.mark.parametrize("processor", ["avx2", "avx512"])
def test_no_warning(building, source, processor):
    flags = [*building.FLAGS, *building.PROCESSORS[processor]]
    command = ["gcc", *flags, "-Werror", "-S", "-o", "-", str(source)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


def test_libraries_are_for_one_platform(hook, tmp_path):
    (tmp_path / "loop.c").write_text("long loop(void) { return 3; }")
    assert built(hook) == {"tag": "py3-none-linux_x86_64"}
    assert {file.name for file in tmp_path.iterdir()} == {"avx2.so", "avx512.so", "loop.c"}


def test_a_source_that_does_not_compile_leaves_a_package_without_libraries(hook, tmp_path, capsys):
    (tmp_path / "avx2.so").touch()
    (tmp_path / "loop.c").write_text("#ifdef __AVX512F__\n#error no such\n#endif\n")
    assert built(hook) == {}
    assert {file.name for file in tmp_path.iterdir()} == {"loop.c"}
    assert "no such" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["compiler", "platform"])
def test_elsewhere_there_are_none(hook, building, tmp_path, monkeypatch, missing):
    (tmp_path / "avx2.so").touch()
    if missing == "compiler":
        monkeypatch.setenv("CC", "no-such-compiler")
    else:
        monkeypatch.setattr(building.platform, "machine", lambda: "aarch64")
    assert built(hook) == {}
    assert not list(tmp_path.iterdir())
