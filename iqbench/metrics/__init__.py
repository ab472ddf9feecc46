"""The metrics, one file each, and the public names for authors of metrics.

A metric needs `Metric`, `Column` and `Tap`; a metric of whole sets needs `SetMetric`, `FeatureSet`
and `Distance`. CONTRIBUTING.md has complete examples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iqbench.lazy_names import lazy_name

__all__ = [
    "Column",
    "ColumnMap",
    "ColumnRole",
    "Distance",
    "Extractor",
    "FeatureSet",
    "Features",
    "Maps",
    "Margin",
    "Mean",
    "Metric",
    "Moments",
    "Needs",
    "Options",
    "Place",
    "Role",
    "Scope",
    "SetMetric",
    "Statistic",
    "Statistics",
    "Tap",
    "Tolerance",
    "Weights",
]

if TYPE_CHECKING:
    from iqbench.columns import ColumnMap, ColumnRole, Margin, Tolerance
    from iqbench.metrics._base import (
        Column,
        Maps,
        Metric,
        Needs,
        Options,
        Place,
        Scope,
        Statistics,
        Tap,
    )
    from iqbench.metrics._sets import (
        Distance,
        Extractor,
        Features,
        FeatureSet,
        Moments,
        SetMetric,
    )
    from iqbench.metrics._statistics import Mean, Statistic
    from iqbench.networks.weights import Weights
    from iqbench.protocols.presets import Role

_HOMES = {
    **dict.fromkeys(["ColumnMap", "ColumnRole", "Margin", "Tolerance"], "iqbench.columns"),
    **dict.fromkeys(
        [
            *("Column", "Maps", "Metric", "Needs", "Options", "Place", "Scope"),
            *("Statistics", "Tap"),
        ],
        "iqbench.metrics._base",
    ),
    **dict.fromkeys(
        ["Distance", "Extractor", "FeatureSet", "Features", "Moments", "SetMetric"],
        "iqbench.metrics._sets",
    ),
    **dict.fromkeys(["Mean", "Statistic"], "iqbench.metrics._statistics"),
    "Role": "iqbench.protocols.presets",
    "Weights": "iqbench.networks.weights",
}
"""The module of each name."""


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    return lazy_name(__name__, name, _HOMES)


def __dir__() -> list[str]:
    """List the imported names, and those that are imported on first use."""
    return sorted({*globals(), *__all__})
