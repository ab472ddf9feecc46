"""Descriptions of the protocols that computed the values of a page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from iqbench.errors import IqbenchError
from iqbench.protocols.presets import load_presets, resolve_protocol
from iqbench.results.signature import parse_signature

__all__ = ["ProtocolNote", "protocol_notes"]


@dataclass(frozen=True)
class ProtocolNote:
    """The description of a protocol.

    Attributes
    ----------
    name
        Its name with parameters and version, as in signatures: ``sr-y:scale=4/1``.
    summary, citation
        What it is, and the code or paper that defines it; empty for an unknown protocol.
    views
        What metrics are given, by role of the metric. Roles that are given the same share one
        entry.
    """

    name: str
    summary: str = ""
    citation: str = ""
    views: tuple[tuple[str, str], ...] = ()


def protocol_notes(signatures: Iterable[str]) -> list[ProtocolNote]:
    """Describe the protocols in signatures, each one once, sorted by name."""
    names = {parse_signature(text).get("protocol", "") for text in signatures}
    return [_note(name) for name in sorted(names - {""})]


def _note(name: str) -> ProtocolNote:
    spec, _, version = name.rpartition("/")
    try:
        preset = load_presets().get(spec.partition(":")[0])
        known = resolve_protocol(spec)
    except IqbenchError:
        return ProtocolNote(name)
    if preset is None or str(known.version) != version:
        return ProtocolNote(name)  # a protocol of another machine or version
    views = {
        "fidelity metrics": str(known.fidelity),
        "perceptual ones": str(known.perception),
        "those without a reference": str(known.naturalness),
    }
    if len(set(views.values())) == 1:
        views = {"all metrics": str(known.fidelity)}
    views |= {f"{metric} alone": str(view) for metric, view in known.views.items()}
    return ProtocolNote(name, preset.summary, preset.citation, tuple(views.items()))
