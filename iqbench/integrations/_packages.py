"""What is said where the package of an integration is not installed."""

from __future__ import annotations

from iqbench.errors import IqbenchError

__all__ = ["not_installed"]


def not_installed(error: ModuleNotFoundError, package: str, extra: str) -> Exception:
    """Return the error to raise where the import of a package failed.

    Parameters
    ----------
    error
        What the import raised.
    package
        What is imported, e.g. ``torchmetrics``.
    extra
        The extra of iqbench that installs it.

    Returns
    -------
    Exception
        A sentence with the command of pip; the error itself where the package is there and lacks
        another one.
    """
    if error.name is None or error.name.partition(".")[0] != package:
        return error
    return IqbenchError(
        f"the package {package} is not installed", hint=f"pip install 'iqbench[{extra}]'"
    )
