"""Conventions that have a name: the presets, and the defaults of libraries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from iqbench.explain.convention import Convention
from iqbench.explain.libraries import load_libraries
from iqbench.metrics._registry import Request, resolve_metrics
from iqbench.protocols.presets import load_presets, resolve_protocol

__all__ = ["Anchor", "library_anchors", "preset_anchors"]


@dataclass(frozen=True)
class Anchor:
    """A convention with a name.

    Attributes
    ----------
    name
        Of a protocol, e.g. ``sr-y:scale=4``, or of a library's function.
    preset
        Whether it is a protocol.
    convention
        What it stands for.
    mistake
        Whether it is what a common mistake gives.
    single
        Whether it is computed in float32.
    """

    name: str
    preset: bool
    convention: Convention
    mistake: bool = False
    single: bool = False


def library_anchors(metrics: Iterable[str], scales: Sequence[int]) -> list[Anchor]:
    """Return what libraries do.

    Parameters
    ----------
    metrics
        Columns and forms that are tried.
    scales
        Of super-resolution.
    """
    known = set(metrics)
    entries = [
        (entry, library.single or entry.single)
        for library in load_libraries().values()
        for entry in library.entries
    ]
    anchors: list[Anchor] = []
    for entry, single in entries:
        if entry.metric not in known:
            continue
        settings: dict[str, Any] = entry.settings.model_dump()
        border = settings.pop("crop")
        for scale in scales if border else [0]:
            crop = scale + 6 if border == "scale + 6" else scale
            convention = Convention(entry.metric, crop=crop, **settings)
            anchors.append(Anchor(entry.name, False, convention, entry.mistake, single))
    return anchors


def preset_anchors(requests: Sequence[Request], scales: Sequence[int]) -> list[Anchor]:
    """Return the presets, those of the user included.

    Parameters
    ----------
    requests
        The columns that a preset's name stands for; a preset may mean a variant of the metric.
    scales
        Values for the parameter ``scale``; presets with other parameters are left out.
    """
    anchors: list[Anchor] = []
    for name, preset in load_presets().items():
        if not set(preset.parameters) <= {"scale"}:
            continue
        for scale, request in product(scales if preset.parameters else [0], requests):
            protocol = resolve_protocol(f"{name}:scale={scale}" if scale else name)
            role = request.metric.role
            variant = preset.variants.get(request.column.name)
            column = resolve_metrics([variant])[0].column if variant else request.column
            convention = Convention.of_view(column.name, protocol.view(role, request.metric.name))
            anchors.append(Anchor(protocol.spec, True, convention))
    return anchors
