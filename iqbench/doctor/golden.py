"""The packaged images for the checks, with their recorded values."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from iqbench.doctor.finding import Finding, compared

__all__ = ["FOLDER", "Golden", "GoldenValues", "check_files", "load_golden"]

PART = "files"
FOLDER = Path(__file__).parent / "golden"


class GoldenValues(BaseModel):
    """Values of one pair under one protocol.

    Attributes
    ----------
    pair
        Name of the pair.
    protocol
        Spec.
    columns
        Values by column, from an independent implementation in float64.
    by
        The package that gave the value of each column.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pair: str
    protocol: str
    columns: dict[str, float]
    by: dict[str, str]


class Golden(BaseModel):
    """All recorded values.

    Attributes
    ----------
    recorded_with
        Versions by package.
    files
        SHA-256 of each file, by path below `FOLDER`.
    values
        The values of the pairs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recorded_with: dict[str, str]
    files: dict[str, str]
    values: tuple[GoldenValues, ...]

    @property
    def pairs(self) -> list[str]:
        """The names of the pairs, without duplicates."""
        return list(dict.fromkeys(recorded.pair for recorded in self.values))


@cache
def load_golden() -> Golden:
    """Read ``golden.yaml``."""
    text = (FOLDER / "golden.yaml").read_text(encoding="utf-8")
    return Golden.model_validate(yaml.safe_load(text))


def check_files() -> Iterator[Finding]:
    """Check that the files are unchanged, because the recorded values belong to these bytes."""
    files = load_golden().files
    wrong = [name for name, digest in files.items() if _digest(FOLDER / name) != digest]
    yield compared(
        PART,
        "golden files",
        deviation=len(wrong),
        tolerance=0,
        unit="files",
        note=f"{len(files)} files as shipped",
        wrong=f"missing or changed: {', '.join(wrong)}. Install iqbench again",
    )


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
