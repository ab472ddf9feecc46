"""Compiles the loops of iqbench/native while the package is built.

They are for Linux on x86-64, with GCC. Elsewhere, or where there is no compiler, the package is
built without them: iqbench then computes the same values by slower ways; `iqbench doctor` says so.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path(__file__).parent / "iqbench" / "native"

PROCESSORS = {
    "avx2": ["-mavx2"],
    "avx512": [
        *("-mavx512f", "-mavx512vl", "-mavx512bw", "-mavx512dq"),
        "-mprefer-vector-width=512",
    ],
}
"""A library for each, with what torch takes for granted where it names the capability."""

FLAGS = [
    *("-std=c11", "-O3", "-fPIC", "-fopenmp", "-mfma", "-Wall", "-Wextra"),
    *("-fno-math-errno", "-fno-trapping-math"),
]
"""Nobody reads errno or the flags of exceptions: loops with a choice can be vectorised then."""

FUSED = "winograd"
"""Multiplies and adds with one rounding. Elsewhere each step rounds: equal images differ by 0."""


class NativeBuildHook(BuildHookInterface[Any]):
    """Adds the libraries to what is built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; a wheel that holds a library is for one platform, and for any Python."""
        remove_libraries()
        if sys.platform != "linux" or platform.machine() != "x86_64":
            return
        compiler = shlex.split(os.environ.get("CC", "")) or ["gcc"]
        if shutil.which(compiler[0]) is None:
            self.app.display_warning(f"no {compiler[0]}: iqbench will compute by slower ways")
            return
        try:
            for name, flags in PROCESSORS.items():
                compile_library(compiler, flags, FOLDER / f"{name}.so")
        except subprocess.CalledProcessError as error:
            remove_libraries()
            self.app.display_warning(f"iqbench will compute by slower ways: {error.stderr}")
            return
        build_data["tag"] = "py3-none-linux_x86_64"


def remove_libraries() -> None:
    """Leave none of another build."""
    for library in FOLDER.glob("*.so"):
        library.unlink()


def compile_library(compiler: list[str], flags: list[str], target: Path) -> None:
    """Compile every file and link them; the library appears whole or not at all.

    It is not linked with OpenMP: torch has loaded it, and threads must be those of torch.
    """
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        objects = []
        for source in sorted(FOLDER.glob("*.c")):
            objects.append(str(Path(folder, f"{source.stem}.o")))
            contract = "fast" if source.stem == FUSED else "off"
            rounding = f"-ffp-contract={contract}"
            run(*compiler, *FLAGS, *flags, rounding, "-c", str(source), "-o", objects[-1])
        linked = Path(folder, target.name)
        run(*compiler, "-shared", *objects, "-o", str(linked))
        linked.replace(target)


def run(*command: str) -> None:
    """Run a compiler, keeping what it says."""
    subprocess.run(command, check=True, capture_output=True, text=True)
