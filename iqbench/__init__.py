"""iqbench: score the outputs of image-restoration methods, and check the numbers.

The public names are those of ``__all__`` here and in `iqbench.metrics`, `iqbench.datasets`,
`iqbench.functional`, `iqbench.losses`, `iqbench.maps`, `iqbench.doctor` and the modules of
`iqbench.integrations`. Everything else is internal and may change in any release.

Nothing heavy is imported here: each name is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iqbench.errors import IqbenchError, IqbenchWarning
from iqbench.lazy_names import lazy_name

__version__ = "0.1.0"

__all__ = [
    "Evaluator",
    "IqbenchError",
    "IqbenchWarning",
    "__version__",
    "check",
    "compare",
    "correlate",
    "evaluate",
    "functional",
    "import_values",
    "leaderboard",
    "load_scores",
    "losses",
    "measure",
]

if TYPE_CHECKING:
    from iqbench import functional, losses
    from iqbench.api import evaluate, measure
    from iqbench.boards.leaderboard import leaderboard
    from iqbench.correlation.correlate import correlate
    from iqbench.evaluator import Evaluator
    from iqbench.gate.folders import check, compare
    from iqbench.results.importing import import_values
    from iqbench.results.read import load_scores

_HOMES = {
    "Evaluator": "iqbench.evaluator",
    "check": "iqbench.gate.folders",
    "compare": "iqbench.gate.folders",
    "correlate": "iqbench.correlation.correlate",
    "evaluate": "iqbench.api",
    "functional": "iqbench.functional",
    "import_values": "iqbench.results.importing",
    "leaderboard": "iqbench.boards.leaderboard",
    "load_scores": "iqbench.results.read",
    "losses": "iqbench.losses",
    "measure": "iqbench.api",
}
"""The module of each name."""


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    return lazy_name(__name__, name, _HOMES)


def __dir__() -> list[str]:
    """Name what is imported, and what will be on first use."""
    return sorted({*globals(), *__all__})
