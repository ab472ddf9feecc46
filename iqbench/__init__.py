"""iqbench: score the outputs of image-restoration methods, and prove the numbers.

Nothing heavy is imported here: ``evaluate``, ``measure`` and ``load_scores`` and the modules
``functional`` and ``losses`` come in when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["__version__", "evaluate", "functional", "load_scores", "losses", "measure"]

if TYPE_CHECKING:
    from iqbench import functional, losses
    from iqbench.api import evaluate, measure
    from iqbench.results.read import load_scores


def __getattr__(name: str) -> Any:
    """Import what was asked for, on first use (PEP 562)."""
    from importlib import import_module

    if name in ("functional", "losses"):
        return import_module(f"iqbench.{name}")
    if name in ("evaluate", "measure"):
        return getattr(import_module("iqbench.api"), name)
    if name == "load_scores":
        return import_module("iqbench.results.read").load_scores
    raise AttributeError(f"module 'iqbench' has no attribute {name!r}")
