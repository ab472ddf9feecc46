"""`iqbench.evaluate` and `iqbench.measure` have the options of their commands, with equal names."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from importlib import import_module
from typing import get_args, get_type_hints

import click
import pandas as pd
import pytest

import iqbench
from iqbench.api import Evaluation
from iqbench.computed import Computed
from iqbench.engine.compute import Precision
from iqbench.engine.plan import KeptFeatures
from iqbench.images.memory import Image
from iqbench.images.source import Alpha
from iqbench.protocols.view import GrayOutput

FUNCTIONS = {"evaluate": iqbench.evaluate, "measure": iqbench.measure}

OF_THE_COMMAND_ALONE = {
    "evaluate": {"quiet": "Python callers filter warnings, and there is no progress to silence"},
    "measure": {
        "format": "the function returns a DataFrame",
        "file": "see format",
        "folder": "iqbench.maps.difference_maps gives the maps, write_maps their files",
        "names": "see folder",
        "raw": "see folder",
        "figure": "see folder",
        "figure_size": "see folder",
        "figure_font": "see folder",
        "figure_title": "see folder",
    },
}
"""Options that the function lacks on purpose, and why."""

OF_THE_FUNCTION_ALONE = {
    "evaluate": {
        "dataset": "a single one of datasets, which the command calls --dataset",
        "degradation": "of methods that are functions, which a command line cannot name",
        "seed": "see degradation",
        "inputs": "see degradation",
        "input_name": "see degradation",
    },
    "measure": {},
}
"""Parameters that the command lacks on purpose, and why."""


def options(name: str) -> dict[str, click.Parameter]:
    command = getattr(import_module(f"iqbench.cli.{name}"), name)
    return {option.name: option for option in command.params}


def parameters(function: Callable[..., object]) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function).parameters)


@pytest.fixture(params=FUNCTIONS)
def name(request):
    return request.param


def test_the_command_and_the_function_have_the_same_parameters(name):
    assert options(name).keys() - OF_THE_COMMAND_ALONE[name].keys() == (
        parameters(FUNCTIONS[name]).keys() - OF_THE_FUNCTION_ALONE[name].keys()
    )
    assert OF_THE_FUNCTION_ALONE[name].keys() <= parameters(FUNCTIONS[name]).keys()
    assert OF_THE_COMMAND_ALONE[name].keys() <= options(name).keys()


def test_they_have_the_same_defaults(name):
    command = getattr(import_module(f"iqbench.cli.{name}"), name)
    given = command.make_context(name, []).params
    for parameter in parameters(FUNCTIONS[name]).values():
        alone = parameter.name in OF_THE_FUNCTION_ALONE[name]
        if not alone and parameter.default is not inspect.Parameter.empty:
            assert str(given[parameter.name]) == str(parameter.default), parameter.name


def _without_none(hint):
    """The choices of a parameter that may be left out."""
    kinds = [one for one in get_args(hint) if one is not type(None)]
    return kinds[0] if type(None) in get_args(hint) and len(kinds) == 1 else hint


def test_they_have_the_same_choices(name):
    known = {"Alpha": Alpha, "GrayOutput": GrayOutput, "Precision": Precision, "pd": pd}
    known |= {"Computed": Computed, "Image": Image, "KeptFeatures": KeptFeatures}
    hints = get_type_hints(FUNCTIONS[name], localns=known)
    hints = {key: _without_none(hint) for key, hint in hints.items()}
    chosen = {
        option.name: set(option.type.choices)
        for option in options(name).values()
        if isinstance(option.type, click.Choice) and option.name in hints
    }
    assert chosen == {key: set(get_args(hints[key])) for key in chosen}
    of_both = {"alpha", "gray_output", "precision"}
    assert chosen.keys() == of_both | ({"features"} if name == "evaluate" else set())


def test_every_parameter_has_a_name_a_type_and_a_description(name):
    function = FUNCTIONS[name]
    for parameter in parameters(function).values():
        assert parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        assert parameter.annotation not in (inspect.Parameter.empty, "Any"), parameter.name
    described = function.__doc__.partition("Parameters\n")[2].partition("Returns\n")[0]
    headings = {
        word.strip()
        for line in described.splitlines()
        if line.startswith("    ") and not line.startswith("     ")
        for word in line.split(",")
    }
    assert headings - {"----------", ""} == parameters(function).keys()


def test_a_misspelt_name_is_a_type_error(name):
    with pytest.raises(TypeError, match="unexpected keyword argument 'metric'"):
        FUNCTIONS[name](metric="psnr")


def test_a_run_takes_what_evaluate_takes():
    taken = {field.name: str(field.default) for field in fields(Evaluation)}
    given = {one.name: str(one.default) for one in parameters(iqbench.evaluate).values()}
    for name in OF_THE_FUNCTION_ALONE["evaluate"]:
        del given[name]
    assert taken == given
