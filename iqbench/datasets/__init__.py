"""Datasets from ``datasets.yaml``, their layouts on disk, and the names for authors of layouts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iqbench.lazy_names import lazy_name

__all__ = [
    "BelowRoot",
    "FileSource",
    "Layout",
    "MissingDataError",
    "Opinion",
    "OutputImage",
    "Sample",
    "Source",
    "missing_data",
]

if TYPE_CHECKING:
    from iqbench.datasets.layout import BelowRoot, Layout, MissingDataError, missing_data
    from iqbench.datasets.sample import Opinion, OutputImage, Sample
    from iqbench.images.source import FileSource, Source

_HOMES = {
    **dict.fromkeys(
        ["BelowRoot", "Layout", "MissingDataError", "missing_data"], "iqbench.datasets.layout"
    ),
    **dict.fromkeys(["Opinion", "OutputImage", "Sample"], "iqbench.datasets.sample"),
    **dict.fromkeys(["FileSource", "Source"], "iqbench.images.source"),
}
"""The module of each name."""


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    return lazy_name(__name__, name, _HOMES)


def __dir__() -> list[str]:
    """Name what is imported, and what will be on first use."""
    return sorted({*globals(), *__all__})
