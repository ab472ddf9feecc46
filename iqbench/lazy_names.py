"""Public names that are imported when they are first used (PEP 562)."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from iqbench.packages import missing_package

__all__ = ["lazy_name"]


def lazy_name(module: str, name: str, homes: Mapping[str, str]) -> Any:
    """Import a name; a module's ``__getattr__`` calls it.

    Parameters
    ----------
    module
        The module that is asked for the name.
    name
        The name.
    homes
        Public name to the module that defines it. A name whose home is ``module.name`` is that
        module itself.

    Raises
    ------
    AttributeError
        The module has no such public name.
    MissingPackageError
        A package that the name needs is not installed.
    """
    if name not in homes:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    try:
        home = import_module(homes[name])
    except ModuleNotFoundError as error:
        raise missing_package(error) from error
    return home if homes[name] == f"{module}.{name}" else getattr(home, name)
