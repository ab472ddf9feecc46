"""The files that ship with iqbench for its proof, and what was recorded of them."""

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
        Column to its value, by an independent implementation in float64.
    by
        Column to the package that gave its value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pair: str
    protocol: str
    columns: dict[str, float]
    by: dict[str, str]


class Golden(BaseModel):
    """Everything that was recorded.

    Attributes
    ----------
    recorded_with
        Package to version.
    files
        Path below `FOLDER` to the SHA-256 of its bytes.
    values
        Of the pairs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recorded_with: dict[str, str]
    files: dict[str, str]
    values: tuple[GoldenValues, ...]

    @property
    def pairs(self) -> list[str]:
        """The names of the pairs, each once."""
        return list(dict.fromkeys(recorded.pair for recorded in self.values))


@cache
def load_golden() -> Golden:
    """Read ``golden.yaml``."""
    text = (FOLDER / "golden.yaml").read_text(encoding="utf-8")
    return Golden.model_validate(yaml.safe_load(text))


def check_files() -> Iterator[Finding]:
    """See that the files are those that were shipped: what follows is about these bytes."""
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
