"""What libraries compute by default: one file of data for each library."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, field_validator

from iqbench.explain.convention import split_names

__all__ = ["LibraryDefaults", "LibraryFunction", "load_libraries"]


class FunctionSettings(BaseModel):
    """The fields of a convention that are not the default, as in `Convention`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    colour: str = "rgb"
    quantise: str = "stored"
    gray: str = "keep"
    brightness: str = "own"
    prepared: str = "as-stored"
    range: str = "own"
    pool: str = "images"
    crop: Literal[0, "scale", "scale + 6"] = 0


class LibraryFunction(BaseModel):
    """A function of a library, with the options in its name.

    Attributes
    ----------
    name
        Its name in reports.
    metric
        The column or form that it computes.
    file
        The source file that defines it.
    commit
        A commit with the meant version of the file.
    settings
        Its other settings.
    mistake
        Whether it is a common mistake with the function.
    single
        Whether it computes in float32.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    metric: str
    file: str = ""
    commit: str = ""
    settings: FunctionSettings = FunctionSettings()
    mistake: bool = False
    single: bool = False

    @field_validator("name")
    @classmethod
    def _can_be_listed(cls, name: str) -> str:
        """Refuse commas outside parentheses: they separate names in reports."""
        if split_names(name) != [name]:
            raise ValueError("a comma outside parentheses separates names")
        return name


class LibraryDefaults(BaseModel):
    """A library, its source, and its functions.

    Attributes
    ----------
    package
        Its name in the package index; empty if the index does not have it.
    version
        The version in the tests; empty if the tests contain a second copy of its formulas.
    source
        Address of the repository or documentation.
    single
        Whether all its functions compute in float32.
    entries
        Its functions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    package: str = ""
    version: str = ""
    source: str = ""
    single: bool = False
    entries: tuple[LibraryFunction, ...]


_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""LibYAML's loader is ten times as fast; not every build of PyYAML has it."""


@cache
def load_libraries() -> dict[str, LibraryDefaults]:
    """Return all libraries by the name of their file, in alphabetical order."""
    found = (item for item in files(__package__).iterdir() if item.name.endswith(".yaml"))
    return {
        item.name.removesuffix(".yaml"): LibraryDefaults.model_validate(
            _Loader(item.read_text(encoding="utf-8")).get_single_data()
        )
        for item in sorted(found, key=lambda item: item.name)
    }
