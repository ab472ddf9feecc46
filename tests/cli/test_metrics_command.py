"""`iqbench metrics`: list the metrics and show their definitions."""

from __future__ import annotations

import json

import pytest

from iqbench.metrics._registry import metric_classes


def test_all_metrics_are_listed_with_their_columns(iqbench):
    rows = json.loads(iqbench("metrics", "list", "--format", "json").out)
    assert set(rows[0]) == {"metric", "column", "better", "default", "what"}
    assert {row["metric"] for row in rows} == set(metric_classes())
    by_column = {row["column"]: row for row in rows}
    assert by_column["psnr"]["better"] == "higher"
    assert by_column["tv-ratio"]["better"] == "target:1"
    assert by_column["tv-iso-output"]["better"] == "none"
    assert by_column["lpips-alex"]["default"] == "yes"
    assert all(row["what"] for row in rows)


def test_the_list_is_a_table_for_people_too(iqbench):
    ran = iqbench("metrics", "list")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.split()[:5] == ["metric", "column", "better", "default", "what"]


def test_a_metric_is_shown_with_definition_source_options_and_columns(iqbench):
    ran = iqbench("metrics", "show", "perceptual:net=vgg19,layers=conv5_4")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("perceptual, version 1\n")
    assert "Source: " in ran.out
    assert "Option net = vgg19\n" in ran.out
    assert "Option layers = conv5_4\n" in ran.out
    assert "Option weights = (none)\n" in ran.out
    assert "``" not in ran.out
    assert "perceptual-vgg19-conv5_4-l1" in ran.out


def test_what_needs_whole_images_says_so_by_name(iqbench):
    shown = iqbench("metrics", "show", "ssim:form=3d").out
    assert shown.endswith("Not streamed: ssim-form=3d. Memory grows with the size of the image.\n")
    for spec in ("ssim", "lpips:net=vgg", "bpp"):
        assert "Not streamed" not in iqbench("metrics", "show", spec).out


def test_a_column_s_name_shows_that_column(iqbench):
    rows = json.loads(iqbench("metrics", "show", "lpips-vgg", "--format", "json").out)
    assert [row["column"] for row in rows] == ["lpips-vgg"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("lpisp", "unknown metric 'lpisp'. Did you mean 'lpips'?"),
        ("lpips:net=vgg19", "net of metric 'lpips'"),
        ("psnr:peak=1", "unknown option of metric 'psnr' 'peak'"),
        ("perceptual:layers=relu9_9", "relu9_9"),
        ("perceptual:net=vgg17", "Did you mean 'vgg1"),
        ("lpips:net", "is not of the form key=value"),
    ],
)
def test_what_is_misspelt_is_refused_with_the_nearest(iqbench, spec, message):
    ran = iqbench("metrics", "show", spec)
    assert ran.code == 2
    assert message in ran.err
    assert ran.err.count("\n") == 1
