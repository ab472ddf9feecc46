"""Names of datasets and methods of any kind become names of folders."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iqbench.results.paths import slug


@pytest.mark.parametrize("name", ["edsr", "001", "set5-x4", "a.b_c"])
def test_a_harmless_name_stays(name: str) -> None:
    assert slug(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "a\\b",
        "_x",
        ".x",
        "con",
        "nul.txt",
        "x.",
        "Ünï",
        "<b>",
        "x" * 99,
    ],
)
def test_an_awkward_name_becomes_one_component_that_every_reader_sees(name: str) -> None:
    made = slug(name)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*-[0-9a-f]{10}", made)
    assert len(made) < 80


@given(
    st.text(max_size=6) | st.text(alphabet="aA./_-0", max_size=4),
    st.text(max_size=6) | st.text(alphabet="aA./_-0", max_size=4),
)
def test_no_two_names_share_a_folder_even_ignoring_case(one: str, other: str) -> None:
    assert (slug(one).casefold() == slug(other).casefold()) == (one == other)


@given(st.text(max_size=8))
def test_a_name_that_looks_like_another_ones_folder_gets_its_own(name: str) -> None:
    made = slug(name)
    assert made == name or slug(made).casefold() != made.casefold()
    assert slug(made.lower()).casefold() != made.casefold() or made.lower() == name
