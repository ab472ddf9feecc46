"""What a page says of the protocols that its values were computed by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from iqbench.errors import IqbenchError
from iqbench.protocols.presets import load_presets, resolve_protocol
from iqbench.results.signature import parse_signature

__all__ = ["ProtocolNote", "protocol_notes"]


@dataclass(frozen=True)
class ProtocolNote:
    """What a protocol does.

    Attributes
    ----------
    name
        With its parameters and its version, as in signatures: ``sr-y:scale=4/1``.
    summary, citation
        What it is, and the code or paper that defines it; empty for one that is not known here.
    views
        What metrics see, by role; roles that see the same are one.
    """

    name: str
    summary: str = ""
    citation: str = ""
    views: tuple[tuple[str, str], ...] = ()


def protocol_notes(signatures: Iterable[str]) -> list[ProtocolNote]:
    """Describe the protocols of signatures, each once, in order of their names."""
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
        return ProtocolNote(name)  # another machine's, or another time's
    views = {
        "fidelity metrics": str(known.fidelity),
        "perceptual ones": str(known.perception),
        "those without a reference": str(known.naturalness),
    }
    if len(set(views.values())) == 1:
        views = {"all metrics": str(known.fidelity)}
    views |= {f"{metric} alone": str(view) for metric, view in known.views.items()}
    return ProtocolNote(name, preset.summary, preset.citation, tuple(views.items()))
