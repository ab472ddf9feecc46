"""iqbench: score the outputs of image-restoration methods, and prove the numbers.

Nothing heavy is imported here: functions, classes, and the modules ``functional`` and ``losses``,
are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iqbench.errors import IqbenchError, IqbenchWarning

__version__ = "0.1.0"

__all__ = [
    "Evaluator",
    "IqbenchError",
    "IqbenchWarning",
    "__version__",
    "check",
    "compare",
    "evaluate",
    "functional",
    "import_values",
    "load_scores",
    "losses",
    "measure",
]

if TYPE_CHECKING:
    from iqbench import functional, losses
    from iqbench.api import evaluate, measure
    from iqbench.evaluator import Evaluator
    from iqbench.gate.folders import check, compare
    from iqbench.results.importing import import_values
    from iqbench.results.read import load_scores

_HOMES = {
    "Evaluator": "iqbench.evaluator",
    "check": "iqbench.gate.folders",
    "compare": "iqbench.gate.folders",
    "evaluate": "iqbench.api",
    "import_values": "iqbench.results.importing",
    "load_scores": "iqbench.results.read",
    "measure": "iqbench.api",
}
"""The module of each name."""


def __getattr__(name: str) -> Any:
    """Import what was asked for, on first use (PEP 562)."""
    from importlib import import_module

    if name in ("functional", "losses"):
        return import_module(f"iqbench.{name}")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'iqbench' has no attribute {name!r}")
