"""The margins of metrics, and options that set them."""

import pytest

from iqbench.columns import Margin
from iqbench.errors import IqbenchError
from iqbench.gate.margins import (
    OTHER_MARGIN,
    image_margin_of,
    margin_of,
    parse_image_margins,
    parse_margins,
)
from iqbench.metrics._registry import metric_classes
from iqbench.results.format1 import completed
from iqbench.results.schema import ColumnInfo

METRICS = ("psnr", "lpips-alex", "lpips-vgg", "tv-ratio")


def said(metric):
    """What a table of the first release says of a metric."""
    return completed(metric, ColumnInfo("higher"))


@pytest.mark.parametrize(
    ("metric", "margin"),
    [
        ("psnr", 0.05),
        ("psnr-b", 0.05),
        ("ms-ssim", 0.001),
        ("ms-ssim-db", 0.05),
        ("ssim-uniform", 0.001),
        ("lpips-squeeze", 0.002),
        ("tv-ratio", 0.01),
        ("perceptual-vgg16-relu1_2-l1", 0.005),
        ("tv-residual", 0.005),
        ("psnrx", 0.005),
    ],
)
def test_the_default_of_a_metric_whose_mean_is_one_half(metric, margin):
    assert margin_of(metric, said(metric)).of(-0.5) == pytest.approx(margin)


def test_a_metric_that_says_nothing_has_one_per_cent():
    assert margin_of("sharpness", ColumnInfo("higher")) is OTHER_MARGIN
    assert margin_of("sharpness", ColumnInfo("higher", margin=Margin(3))) == Margin(3)


@pytest.mark.parametrize("metric", metric_classes().values(), ids=metric_classes())
def test_every_margin_says_why_and_is_that_of_the_first_release(metric):
    for column in metric().columns():
        assert column.margin is None or column.margin.reason, column.name
        known = completed(column.name, ColumnInfo(column.direction)).margin
        if known is not None:
            assert column.margin is not None, column.name
            now = column.margin.value, column.margin.relative
            assert now == (known.value, known.relative), column.name


def test_a_given_margin_comes_first_and_the_longest_name_wins():
    given = parse_margins(["lpips=2%", "lpips-vgg=0.5"], METRICS)
    assert str(margin_of("lpips-alex", said("lpips-alex"), given)) == "2 %"
    assert str(margin_of("lpips-vgg", said("lpips-vgg"), given)) == "0.5"
    assert margin_of("psnr", said("psnr"), given) == said("psnr").margin


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pnsr=1", "unknown metric of --margin 'pnsr'. Did you mean 'psnr'"),
        ("psnr", "no number of at least 0"),
        ("psnr=", "no number of at least 0"),
        ("psnr=-1", "no number of at least 0"),
        ("psnr=nan", "no number of at least 0"),
        ("psnr=inf%", "no number of at least 0"),
        ("=1", "unknown metric of --margin"),
    ],
)
def test_invalid_margins_are_refused(text, message):
    with pytest.raises(IqbenchError, match=message):
        parse_margins([text], METRICS)


@pytest.mark.parametrize(
    ("metric", "margin"),
    [
        ("psnr", "1"),
        ("psnr-b", "1"),
        ("ms-ssim-db", "1"),
        ("ssim", "0.02"),
        ("ms-ssim", "0.02"),
        ("lpips-vgg", "0.04"),
        ("tv-ratio", "0.2"),
        ("perceptual-vgg16-relu1_2-l1", "20 %"),
        ("tv-residual", "20 %"),
        ("another", "20 %"),
    ],
)
def test_an_image_may_lose_twenty_margins(metric, margin):
    assert str(image_margin_of(metric, said(metric))) == margin


def test_a_given_image_margin_comes_before_the_margin_of_the_mean():
    margins = {"psnr": Margin(0.2)}
    assert str(image_margin_of("psnr", said("psnr"), {}, margins)) == "4"
    assert str(image_margin_of("psnr", said("psnr"), {"psnr": Margin(3)}, margins)) == "3"
    assert image_margin_of("psnr", said("psnr"), {"psnr": None}, margins) is None
    assert str(image_margin_of("psnr", said("psnr"), {}, {"psnr": Margin(0)})) == "1"


def test_image_margins_are_read_as_margins_are_and_none_is_no_limit():
    given = parse_image_margins(["psnr=2", "lpips=none", "lpips-vgg=5%"], METRICS)
    assert str(image_margin_of("psnr", said("psnr"), given)) == "2"
    assert image_margin_of("lpips-alex", said("lpips-alex"), given) is None
    assert str(image_margin_of("lpips-vgg", said("lpips-vgg"), given)) == "5 %"
    assert str(image_margin_of("tv-ratio", said("tv-ratio"), given)) == "0.2"


@pytest.mark.parametrize("texts", [["none", "lpips=0.1"], ["lpips=0.1", "none"]])
def test_none_is_for_all_metrics_that_are_not_named(texts):
    given = parse_image_margins(texts, METRICS)
    assert str(image_margin_of("lpips-vgg", said("lpips-vgg"), given)) == "0.1"
    assert image_margin_of("psnr", said("psnr"), given) is None
    assert image_margin_of("tv-ratio", said("tv-ratio"), given) is None
