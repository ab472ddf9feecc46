"""Presets by name: they load, are validated, and become views."""

import pytest
from pydantic import ValidationError

from iqbench.errors import IqbenchError
from iqbench.protocols.presets import Preset, load_presets, resolve_protocol
from iqbench.protocols.view import View


def test_every_preset_can_be_resolved_and_says_whose_convention_it_is():
    presets = load_presets()
    assert {"rgb", "sr-y", "sr-y-rounded"} <= presets.keys()
    for name, preset in presets.items():
        assert preset.summary
        assert preset.citation
        parameters = ",".join(f"{key}=4" for key in preset.parameters)
        spec = f"{name}:{parameters}" if parameters else name
        protocol = resolve_protocol(spec)
        assert (protocol.spec, protocol.version) == (spec, preset.version)
        assert protocol.view("fidelity") == protocol.fidelity
        assert protocol.view("perception") == protocol.perception
        assert protocol.fidelity.window(64, 64).height > 0


def test_every_parameter_of_a_preset_is_used_and_every_name_is_a_parameter():
    for preset in load_presets().values():
        views = preset.fidelity, preset.perception
        named = {value for view in views for value in (view.modcrop, view.crop)}
        assert {value for value in named if isinstance(value, str)} == set(preset.parameters)


def test_rgb_is_pixels_as_they_are():
    protocol = resolve_protocol("rgb")
    assert protocol.fidelity == protocol.perception == View("rgb")


@pytest.mark.parametrize(
    ("name", "colour", "gray"),
    [("sr-y", "luma-studio", "expand"), ("sr-y-rounded", "luma-studio-rounded", "keep")],
)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_super_resolution_scores_fidelity_on_luma_and_the_rest_on_rgb(name, colour, gray, scale):
    protocol = resolve_protocol(f"{name}:scale={scale}")
    assert protocol.fidelity == View(colour, quantise=True, modcrop=scale, crop=scale, gray=gray)
    assert protocol.perception == View("rgb", quantise=True, modcrop=scale, crop=scale)


def test_the_spelling_is_canonical():
    assert resolve_protocol(" sr-y: scale = 04 ").spec == "sr-y:scale=4"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("srgb", "unknown protocol 'srgb'. Did you mean 'rgb'?"),
        ("sr-y", "protocol 'sr-y' needs its parameter 'scale'. Write sr-y:scale=4"),
        ("sr-y:scal=4", "unknown parameter of protocol 'sr-y' 'scal'. Did you mean 'scale'?"),
        ("rgb:scale=4", "protocol 'rgb' takes no parameters, and 'scale' is given. Write rgb"),
        ("sr-y:scale=0", "scale of protocol 'sr-y' must be a positive integer, not 0"),
        ("sr-y:scale=-4", "scale of protocol 'sr-y' must be a positive integer, not -4"),
        ("sr-y:scale=x4", "scale of protocol 'sr-y' must be a positive integer, not x4"),
        ("sr-y:scale=²", "scale of protocol 'sr-y' must be a positive integer, not ²"),
        ("sr-y:scale=" + "9" * 5000, "scale of protocol 'sr-y' must be a positive integer, not 99"),
    ],
)
def test_what_is_misspelt_or_missing_is_named(spec, message):
    with pytest.raises(IqbenchError) as caught:
        resolve_protocol(spec)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "change",
    [
        {"colour": "cmyk"},
        {"border": 4},
    ],
)
def test_a_preset_with_unknown_keys_or_colours_does_not_load(change):
    block = load_presets()["rgb"].model_dump()
    block["fidelity"] |= change
    with pytest.raises(ValidationError, match=next(iter(change))):
        Preset.model_validate(block)
