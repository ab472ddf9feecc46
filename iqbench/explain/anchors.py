"""Conventions with a name: presets, and defaults of libraries."""

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
        The settings behind the name.
    mistake
        Whether it is a common mistake.
    single
        Whether it is computed in float32.
    """

    name: str
    preset: bool
    convention: Convention
    mistake: bool = False
    single: bool = False


def library_anchors(metrics: Iterable[str], scales: Sequence[int]) -> list[Anchor]:
    """Return the conventions of libraries.

    Parameters
    ----------
    metrics
        Columns and forms that are tried; functions of others are left out.
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
    """Return the conventions of presets, also those of the user.

    Parameters
    ----------
    requests
        The columns of the metric; a preset may replace one by a variant.
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
