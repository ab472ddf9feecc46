"""The public names and their signatures are those of a recorded list, so a change is a decision."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest
from record_public_names import MODULES, RECORD, record

for package in ("torchmetrics", "lightning.pytorch"):
    pytest.importorskip(package, reason=f"{package} is not installed: the list has its classes")

PAGE = Path(__file__).parents[1] / "docs/api.md"


def test_the_public_names_are_those_of_the_record():
    # If a change is meant: python tests/record_public_names.py, and tell it in CHANGELOG.md.
    assert record().splitlines() == RECORD.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_there_and_described(module):
    found = import_module(module)
    for name in found.__all__:
        assert name in dir(found)
        value = getattr(found, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), name


def test_the_page_of_the_api_has_every_public_name():
    text = PAGE.read_text(encoding="utf-8")
    whole = set(re.findall(r"^\.\. automodule:: (\S+)$", text, flags=re.MULTILINE))
    shown = set(re.findall(r"^\.\. (?:auto\w+|py:data):: (\S+)$", text, flags=re.MULTILINE))
    modules = set(MODULES) | {"iqbench.functional", "iqbench.losses"}
    missing = {
        f"{module}.{name}"
        for module in MODULES
        if module not in whole
        for name in import_module(module).__all__
        if name != "__version__"
    }
    assert missing - shown - modules == set()


def test_a_public_name_is_the_object_of_its_home():
    import iqbench
    from iqbench.boards.leaderboard import leaderboard
    from iqbench.metrics import Metric, _base

    assert iqbench.leaderboard is leaderboard
    assert Metric is _base.Metric
    with pytest.raises(AttributeError, match=r"module 'iqbench\.metrics' has no attribute 'Nope'"):
        _ = import_module("iqbench.metrics").Nope
