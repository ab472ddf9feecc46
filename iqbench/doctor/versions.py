"""Check the versions of Python, packages and libraries."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from iqbench import __version__
from iqbench.doctor.finding import INFO, OFF, OK, Finding

__all__ = ["check_versions"]

PART = "versions"
# Packages that values may depend on. Each has its own line.
DECISIVE = (
    *("torch", "torchvision", "numpy", "imagecodecs", "simplejpeg"),
    *("opencv-python-headless", "pyarrow"),
)
# Packages with the module cv2; any one of them is enough.
OPENCV = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python-headless",
    "opencv-contrib-python",
)
# Packages with the module iqbench.
IQBENCH = ("iqbench", "iqbench-tables")


def check_versions() -> Iterator[Finding]:
    """Report the versions, and compare those of packages with iqbench's requirements."""
    here = _installed("iqbench")
    note = _twice(here) if len(here) > 1 else __version__
    yield Finding(PART, "iqbench", INFO, note=note)
    yield Finding(PART, "python", INFO, note=platform.python_version())
    yield Finding(PART, "platform", INFO, note=platform.platform())
    yield Finding(PART, "processor", INFO, note=f"{_processor()}, {os.cpu_count() or 1} cores")
    requirements = {requirement.name: requirement for requirement in _requirements()}
    if not requirements:
        yield Finding(PART, "packages", INFO, note="iqbench is not installed, only on the path")
    names = [*DECISIVE, *(name for name in requirements if name not in DECISIVE)]
    for name in names:
        yield _package(name, requirements.get(name))


def _requirements() -> list[Requirement]:
    """Return the requirements in iqbench's metadata, without extras."""
    try:
        required = metadata.requires("iqbench") or []
    except metadata.PackageNotFoundError:
        return []
    found = [Requirement(line) for line in required]
    return [item for item in found if item.marker is None or item.marker.evaluate({"extra": ""})]


def _package(name: str, requirement: Requirement | None) -> Finding:
    """Check one package."""
    group = "" if name in DECISIVE else "other packages"
    installed = _installed(name)
    if not installed:
        note = f"{name} is not installed: python -m pip install {requirement or name}"
        return Finding(PART, name, OFF, note=note, group=group)
    version = next(iter(installed.values()))
    if requirement and not requirement.specifier.contains(version, prereleases=True):
        note = f"{version}, but iqbench needs {requirement}: python -m pip install '{requirement}'"
        return Finding(PART, name, OFF, note=note, group=group)
    note = version if name in installed else f"{version} ({next(iter(installed))})"
    if len(installed) > 1:
        note = _twice(installed)
    return Finding(PART, name, OK, note=note, group=group)


def _twice(installed: Mapping[str, str]) -> str:
    """Describe the fault that several packages with the same files are installed."""
    named = ", ".join(f"{package} {version}" for package, version in installed.items())
    return f"{named}: they overwrite each other's files, keep one"


def _installed(name: str) -> dict[str, str]:
    """Return versions by package; several packages may contain the same module."""
    found = {}
    for package in next((group for group in (OPENCV, IQBENCH) if name in group), (name,)):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    """Return the model of the processor, which `platform` does not know on Linux."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
