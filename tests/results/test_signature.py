"""A signature is one readable line, from which the fields can be read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iqbench.results.signature import differing_fields, headings, parse_signature, signature

FIELDS = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=5)


def test_a_signature_reads_like_its_fields() -> None:
    fields = {"metric": "psnr", "version": "1", "view": "rgb", "precision": "exact"}
    assert signature(fields) == "metric=psnr|version=1|view=rgb|precision=exact"


@given(FIELDS)
def test_the_fields_come_back_in_their_order(fields: dict[str, str]) -> None:
    assert list(parse_signature(signature(fields)).items()) == list(fields.items())


@given(FIELDS, FIELDS)
def test_different_fields_have_different_signatures(a: dict[str, str], b: dict[str, str]) -> None:
    assert (signature(a) == signature(b)) == (list(a.items()) == list(b.items()))


@pytest.mark.parametrize("text", ["psnr", "a=b=c", "a=b|"])
def test_invalid_signatures_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a signature"):
        parse_signature(text)


def test_fields_that_differ_or_are_not_in_all_are_named() -> None:
    one = signature({"metric": "psnr", "view": "rgb", "crop": "4"})
    other = signature({"metric": "psnr", "view": "luma"})
    assert differing_fields([one, other]) == ["view", "crop"]
    assert differing_fields([one, one]) == []


def test_a_column_is_headed_by_what_tells_it_apart() -> None:
    rgb, luma = "metric=psnr|view=rgb", "metric=psnr|view=luma|crop=4"
    assert headings([("psnr", rgb), ("psnr", luma), ("ssim", "view=rgb")]) == {
        ("psnr", rgb): "psnr [view=rgb, no crop]",
        ("psnr", luma): "psnr [view=luma, crop=4]",
        ("ssim", "view=rgb"): "ssim",
    }


def test_signatures_that_differ_in_order_alone_still_get_two_headings() -> None:
    found = headings([("psnr", "a=1|b=2"), ("psnr", "b=2|a=1")])
    assert sorted(found.values()) == ["psnr [a=1|b=2]", "psnr [b=2|a=1]"]


@given(st.lists(st.tuples(st.sampled_from(["psnr", "ssim"]), FIELDS.map(signature)), max_size=6))
def test_headings_are_unique(pairs: list[tuple[str, str]]) -> None:
    found = headings(pairs)
    assert len(set(found.values())) == len(set(pairs)) == len(found)
