"""A selector names a metric, and fields of the signature; other fields may have any value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iqbench.errors import IqbenchError
from iqbench.results.selector import Selector, pick, select, select_one, split_selectors
from iqbench.results.signature import headings, signature


def keys(metric, **fields):
    return metric, signature({"metric": metric, "version": "1", **fields})


RGB = keys("psnr", protocol="rgb/1", view="rgb")
LUMA = keys("psnr", protocol="sr-y:scale=4,shave=4/2", view="luma", peak="1023")
SSIM = keys("ssim", protocol="rgb/1", view="rgb")
COLUMNS = {heading: column for column, heading in headings([RGB, LUMA, SSIM]).items()}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("psnr", [RGB, LUMA]),
        ("ssim", [SSIM]),
        ("psnr[protocol=rgb]", [RGB]),
        ("psnr[protocol=rgb/1]", [RGB]),
        ("psnr[protocol=rgb/2]", []),
        (" psnr [ view=luma , peak=1023 ] ", [LUMA]),
        ("psnr[protocol=sr-y:scale=4,shave=4]", [LUMA]),
        ("psnr[protocol=sr-y:scale=4,shave=4, view=luma]", [LUMA]),
        ("psnr[protocol=sr-y:scale=4]", []),
        ("psnr[no peak]", [RGB]),
        ("psnr[peak=1023]", [LUMA]),
        ("psnr[depth=10]", []),
        ("ssim[view=luma]", []),
        ("psnr[]", [RGB, LUMA]),
        (f"psnr[{LUMA[1]}]", [LUMA]),
    ],
)
def test_what_a_selector_means(text, meant):
    assert [COLUMNS[heading] for heading in select(text, COLUMNS)] == meant


FIELDS = st.dictionaries(
    st.sampled_from(["protocol", "view", "peak", "precision", "net"]),
    st.text("ab1/:,=+ .", min_size=1, max_size=6).filter(lambda text: text == text.strip()),
)


@given(st.lists(FIELDS, min_size=1, max_size=4))
def test_every_heading_means_its_own_column(several):
    known = headings(keys("psnr", **fields) for fields in several)
    columns = {heading: column for column, heading in known.items()}
    for heading in columns:
        assert select(heading, columns) == [heading]


def test_lists_are_split_outside_of_brackets():
    assert split_selectors("psnr[protocol=sr-y:scale=4,shave=4, view=luma], ssim,") == [
        "psnr[protocol=sr-y:scale=4,shave=4, view=luma]",
        "ssim",
    ]
    with pytest.raises(IqbenchError, match="has an unmatched bracket"):
        split_selectors("psnr[view=luma")


def test_one_column_is_refused_where_a_selector_means_several():
    assert select_one("psnr[view=rgb]", COLUMNS, "dataset Set5") in COLUMNS
    assert select_one("lpips", COLUMNS, "dataset Set5") is None
    with pytest.raises(IqbenchError, match=r"several columns on dataset Set5: psnr .*, psnr "):
        select_one("psnr", COLUMNS, "dataset Set5")


def test_unknown_selectors_are_refused_with_the_choices():
    with pytest.raises(IqbenchError, match=r"unknown metric 'psn'.*'psnr'"):
        pick(["ssim", "psn"], COLUMNS.values())
    with pytest.raises(IqbenchError, match=r"no column fits metric 'psnr\[view=gray\]'") as caught:
        pick(["psnr[view=gray]"], COLUMNS.values())
    assert "protocol=rgb/1" in str(caught.value)
    assert "protocol=sr-y:scale=4,shave=4/2" in str(caught.value)
    with pytest.raises(IqbenchError, match="view=rgb"):  # of one that is alone, all its fields
        pick(["ssim[view=luma]"], COLUMNS.values())


def test_a_selector_is_written_as_it_is_read():
    assert str(Selector.of("psnr [view=luma]")) == "psnr[view=luma]"
    assert str(Selector.of("psnr")) == "psnr"
