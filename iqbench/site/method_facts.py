"""Facts about methods for a leaderboard: their dates, papers and code.

The file may come from an unknown person. So it is plain data, its links lead only to the web, and
its contents are shown as text.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from iqbench.errors import IqbenchError, unknown_name
from iqbench.yaml_file import kind_of, read_yaml, validated

__all__ = ["METHODS_FILE", "MethodFacts", "read_method_facts"]

METHODS_FILE = "methods.yaml"
"""Its name in a results folder."""

_LONGEST = 2000


class MethodFacts(BaseModel):
    """One block of ``methods.yaml``.

    Attributes
    ----------
    date
        When the method was published.
    paper, code
        Addresses on the web.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    date: datetime.date | None = None
    paper: str = Field(default="", max_length=_LONGEST)
    code: str = Field(default="", max_length=_LONGEST)

    def texts(self) -> dict[str, str]:
        """Give what is there, as text."""
        date = self.date.isoformat() if self.date else ""
        given = {"date": date, "paper": self.paper, "code": self.code}
        return {name: text for name, text in given.items() if text}

    @field_validator("paper", "code")
    @classmethod
    def _on_the_web(cls, address: str) -> str:
        return _checked(address) if address else address


def _checked(address: str) -> str:
    """Refuse what is not an address of a page: a link with another scheme may run a script."""
    if any(not sign.isprintable() or sign in ' "<>\\^`{|}' for sign in address):
        raise ValueError("an address has no blanks, quotes, brackets or backslashes")
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"{address!r} is not an address: {error}") from error
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise ValueError("an address begins with https:// or http:// and the name of a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("an address has no user and no password")
    return address


def read_method_facts(path: Path, methods: Collection[str]) -> dict[str, MethodFacts]:
    """Read ``methods.yaml``.

    Parameters
    ----------
    path
        One block per method, by its name in the tables.
    methods
        Those that the tables have.

    Returns
    -------
    dict
        By method.

    Raises
    ------
    IqbenchError
        Naming the file, the method and the key, where something is wrong: an unknown method, an
        unknown key, an address that does not lead to the web.
    """
    content = read_yaml(path)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise IqbenchError(f"{path} must hold one block per method, not {kind_of(content)}")
    return dict(_facts(path, name, block, methods) for name, block in content.items())


def _facts(
    path: Path, name: object, block: object, methods: Collection[str]
) -> tuple[str, MethodFacts]:
    where = f"{path}: method {name!r}"
    if not isinstance(name, str):
        raise IqbenchError(f"{where}: the name is not text", hint=f"Put it in quotes: '{name}'")
    if name not in methods:
        error = unknown_name("method", name, methods)
        raise IqbenchError(f"{path}: {error.message}", hint=error.hint)
    if not isinstance(block, Mapping):
        raise IqbenchError(f"{where} must hold keys with values, not {kind_of(block)}")
    return name, validated(MethodFacts, {str(key): value for key, value in block.items()}, where)
