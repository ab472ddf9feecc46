"""`iqbench protocols`: list and show the protocols."""

from __future__ import annotations

import json

from iqbench.protocols.presets import load_presets


def test_all_presets_are_listed(iqbench):
    rows = json.loads(iqbench("protocols", "list", "--format", "json").out)
    assert [row["protocol"] for row in rows] == list(load_presets())
    by_name = {row["protocol"]: row for row in rows}
    assert by_name["sr-y"]["parameters"] == "scale"
    assert by_name["rgb"]["parameters"] == ""
    assert all(row["what"] for row in rows)
    table = iqbench("protocols", "list")
    assert (table.code, table.err) == (0, "")
    assert "sr-y-rounded" in table.out


def test_a_preset_is_shown_with_its_source_and_what_each_family_sees(iqbench):
    ran = iqbench("protocols", "show", "sr-y")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("sr-y, version 2: ")
    assert "Source: " in ran.out
    for family, colour in (("fidelity", "luma-studio"), ("perception", "rgb")):
        (line,) = (line for line in ran.out.splitlines() if line.startswith(family))
        assert f"colour {colour}," in line
        assert "modcrop scale" in line
        assert ("gray expand" in line) == (family == "fidelity")


def test_a_peak_is_shown(iqbench, tmp_path, monkeypatch):
    (tmp_path / "protocols.yaml").write_text(
        "twelve: {version: 1, summary: x, citation: y, peak: 4095,\n"
        "  fidelity: {colour: rgb}, perception: {colour: rgb}}\n"
    )
    monkeypatch.chdir(tmp_path)
    assert "sample value of white: 4095" in iqbench("protocols", "show", "twelve").out
    assert "sample value" not in iqbench("protocols", "show", "rgb").out


def test_json_holds_all_of_it(iqbench):
    (row,) = json.loads(iqbench("protocols", "show", "sr-y", "--format", "json").out)
    assert row["protocol"] == "sr-y"
    assert row["fidelity"]["colour"] == "luma-studio"


def test_an_unknown_one_is_refused_with_the_nearest(iqbench):
    ran = iqbench("protocols", "show", "sry")
    assert ran.code == 2
    assert ran.err == "error: unknown protocol 'sry'. Did you mean 'sr-y'?\n"


def test_show_tells_the_variants_that_a_field_means_and_what_it_computes(iqbench):
    assert "ssim means ssim:form=3d" in iqbench("protocols", "show", "deblur-ssim3d").out
    assert "metrics by default: bpp, psnr" in iqbench("protocols", "show", "compression").out
