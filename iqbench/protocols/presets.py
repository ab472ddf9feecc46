"""Find presets by name in ``presets.yaml``, and turn them with their parameters into views."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml

from iqbench.errors import IqbenchError, unknown_name
from iqbench.images.peaks import check_peak
from iqbench.protocols.gray import check_gray_output
from iqbench.protocols.model import Preset, ViewTemplate
from iqbench.protocols.user import find_protocols_file, load_user_presets
from iqbench.protocols.view import View
from iqbench.specs import parse_spec

__all__ = ["Preset", "Protocol", "Role", "load_presets", "resolve_protocol"]

Role = Literal["fidelity", "perception", "naturalness", "set"]
"""What a metric measures: closeness to the reference, likeness to the eye, natural looks, or how
alike two sets of images are."""

_POSITIVE = re.compile(r"0*[1-9][0-9]{0,5}")  # no sensible scale or border is larger


@dataclass(frozen=True)
class Protocol:
    """A preset with its parameters filled in.

    Attributes
    ----------
    spec
        The canonical spelling, e.g. ``sr-y:scale=4``.
    version
        Of the preset.
    fidelity, perception, naturalness, set
        What the metrics of each role see.
    views
        What single metrics see instead, by name.
    variants
        Bare name of a metric to the spec of the variant that the field means by it.
    metrics
        What is computed where nobody says it; none for the default metrics.
    peak
        The sample value of white; None for what the files say.
    """

    spec: str
    version: int
    fidelity: View
    perception: View
    naturalness: View = field(default_factory=View)
    set: View = field(default_factory=View)
    views: Mapping[str, View] = field(default_factory=dict, hash=False)
    variants: Mapping[str, str] = field(default_factory=dict, hash=False)
    metrics: tuple[str, ...] = ()
    peak: int | None = None

    def with_peak(self, peak: int | None) -> Protocol:
        """Return the protocol with another peak; None leaves its own.

        Raises
        ------
        IqbenchError
            If it is not a whole number from 1 to 65535.
        """
        if peak is None:
            return self
        check_peak(peak)
        return replace(self, peak=int(peak))

    def with_gray_output(self, gray_output: str) -> Protocol:
        """Return the protocol with another reading of gray outputs of colour references.

        Parameters
        ----------
        gray_output
            ``luma``, ``expand`` or ``error``; see `View`.

        Raises
        ------
        IqbenchError
            If it is none of these.
        """
        reading = check_gray_output(gray_output)
        return replace(
            self,
            fidelity=replace(self.fidelity, gray_output=reading),
            perception=replace(self.perception, gray_output=reading),
            naturalness=replace(self.naturalness, gray_output=reading),
            set=replace(self.set, gray_output=reading),
            views={name: replace(view, gray_output=reading) for name, view in self.views.items()},
        )

    def view(self, role: Role, metric: str = "") -> View:
        """Return what a metric of some role sees; `metric` is its name."""
        by_role = {
            "fidelity": self.fidelity,
            "perception": self.perception,
            "naturalness": self.naturalness,
            "set": self.set,
        }
        return self.views.get(metric, by_role[role])


def load_presets() -> dict[str, Preset]:
    """Read all presets by name: the built-in ones, then the user's own.

    Raises
    ------
    IqbenchError
        If the user's file is wrong.
    """
    presets = _built_in()
    path = find_protocols_file()
    return presets if path is None else presets | load_user_presets(path, presets)


@cache
def _built_in() -> dict[str, Preset]:
    text = files("iqbench.protocols").joinpath("presets.yaml").read_text(encoding="utf-8")
    return {name: Preset.model_validate(block) for name, block in yaml.safe_load(text).items()}


def resolve_protocol(spec: str) -> Protocol:
    """Look a protocol up and fill in its parameters.

    Parameters
    ----------
    spec
        ``name`` or ``name:key=value``, e.g. ``rgb`` or ``sr-y:scale=4``.

    Returns
    -------
    Protocol
        With a view for each role.

    Raises
    ------
    IqbenchError
        On an unknown name or parameter, a missing parameter, or one that is not a positive integer.
    """
    name, options = parse_spec(spec)
    presets = load_presets()
    if name not in presets:
        raise unknown_name("protocol", name, presets)
    preset = presets[name]
    values: dict[str, int] = {}
    if options and not preset.parameters:
        raise IqbenchError(
            f"protocol {name!r} takes no parameters, and {next(iter(options))!r} is given",
            hint=f"Write {name}",
        )
    for key, text in options.items():
        if key not in preset.parameters:
            raise unknown_name(f"parameter of protocol {name!r}", key, preset.parameters)
        if not _POSITIVE.fullmatch(text):
            raise IqbenchError(f"{key} of protocol {name!r} must be a positive integer, not {text}")
        values[key] = int(text)
    for key in preset.parameters:
        if key not in values:
            raise IqbenchError(
                f"protocol {name!r} needs its parameter {key!r}", hint=f"Write {name}:{key}=4"
            )
    tail = ",".join(f"{key}={values[key]}" for key in preset.parameters)
    return Protocol(
        spec=f"{name}:{tail}" if tail else name,
        version=preset.version,
        fidelity=_fill(preset.fidelity, values),
        perception=_fill(preset.perception, values),
        naturalness=_fill(preset.naturalness, values),
        set=_fill(preset.set, values),
        views={metric: _fill(template, values) for metric, template in preset.views.items()},
        variants=preset.variants,
        metrics=preset.metrics,
    ).with_peak(values[preset.peak] if isinstance(preset.peak, str) else preset.peak)


def _fill(template: ViewTemplate, values: dict[str, int]) -> View:
    """Replace parameter names by their values."""
    modcrop, crop = (
        values[field] if isinstance(field, str) else field
        for field in (template.modcrop, template.crop)
    )
    return View(
        template.colour, template.quantise, modcrop, crop, template.brightness, template.gray
    )
