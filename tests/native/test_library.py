"""The compiled loops are found, and belong to the present sources."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from iqbench.native import library
from iqbench.native.library import NotCompiledError, find_library

FOLDER = Path(library.__file__).parent


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """Look for libraries in an empty folder."""
    monkeypatch.setattr(library, "_FOLDER", tmp_path)
    find_library.cache_clear()
    library.available.cache_clear()
    yield tmp_path
    find_library.cache_clear()
    library.available.cache_clear()


@pytest.mark.usefixtures("compiled_loops")
def test_they_are_not_older_than_their_sources():
    made = min(file.stat().st_mtime for file in FOLDER.glob("*.so"))
    changed = max(file.stat().st_mtime for file in FOLDER.glob("*.[ch]"))
    assert made >= changed, "install iqbench again: python -m pip install -e ."


@pytest.mark.skipif(sys.platform != "linux", reason="they are for Linux")
def test_there_is_one_for_each_capability(compiled_loops):
    assert {file.stem for file in FOLDER.glob("*.so")} == {"avx2", "avx512"}


class TestWithout:
    def test_it_says_what_to_install(self, folder):
        with pytest.raises(NotCompiledError, match="and gcc; install gcc, then install iqbench"):
            find_library()
        assert not library.available()

    def test_it_says_that_the_processor_is_too_old(self, folder, monkeypatch):
        (folder / "avx2.so").touch()
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
        with pytest.raises(NotCompiledError, match=r"CPU with AVX2 \(torch reports DEFAULT\)"):
            find_library()

    def test_it_says_that_a_library_cannot_be_loaded(self, folder, monkeypatch):
        (folder / "avx2.so").write_bytes(b"no library")
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
        with pytest.raises(NotCompiledError, match="cannot be loaded"):
            find_library()
        assert not library.available()

    @pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
    def test_it_says_that_a_library_is_of_other_sources(self, folder, monkeypatch):
        (folder / "old.c").write_text("long feature_blocks(void) { return 0; }\n")
        target = folder / "avx2.so"
        command = ["gcc", "-shared", "-fPIC", str(folder / "old.c"), "-o", str(target)]
        subprocess.run(command, check=True)
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
        lacking = ", ".join(name for name in library.FUNCTIONS if name != "feature_blocks")
        with pytest.raises(NotCompiledError, match=f"lack {lacking}; install iqbench again"):
            find_library()
        assert not library.available()


def test_every_function_that_is_called_is_looked_for():
    called = re.findall(r'call\(\s*"(\w+)"', (FOLDER / "loops.py").read_text())
    assert sorted(set(called)) == list(library.FUNCTIONS)
