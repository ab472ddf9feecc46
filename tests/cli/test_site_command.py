"""`iqbench site`: a folder of pages, and its messages."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest


def test_it_writes_a_site_and_says_what_has_changed(scored, iqbench):
    ran = iqbench("site", "-o", "public", "--title", "June", "--note", "The first one")
    assert (ran.code, ran.out) == (0, "")
    said = r"wrote public: 11 files, 0\.\d MB, version 1: first version\n"
    assert re.fullmatch(said, ran.err)
    assert "<title>June</title>" in Path("public/index.html").read_text(encoding="utf-8")
    (version,) = json.loads(Path("public/site.json").read_text("utf-8"))["versions"]
    assert version["note"] == "The first one"
    scored.method("yours", amount=2)
    scored.evaluate(metrics=("psnr", "ssim"))
    ran = iqbench("site", "-o", "public", "-q")
    assert ran.err.endswith("version 2: yours has other values on hr\n")


def test_links_of_methods_are_read_from_the_results_or_from_a_file(scored, iqbench):
    Path("links.yaml").write_text("mine: {code: 'https://host/mine'}", encoding="utf-8")
    assert iqbench("site", "-o", "public", "--methods-file", "links.yaml").code == 0
    assert "https://host/mine" in Path("public/datasets/hr.html").read_text(encoding="utf-8")
    Path("results/methods.yaml").write_text("mine: {code: 'ftp://host/mine'}", encoding="utf-8")
    ran = iqbench("site", "-o", "public")
    assert ran.code == 2
    assert "methods.yaml: method 'mine': key 'code': an address begins with https://" in ran.err
    ran = iqbench("site", "-o", "public", "--methods-file", "nowhere.yaml")
    assert ran.code == 2
    assert "nowhere.yaml" in ran.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-o", "results/images/x", "nowhere"], "nowhere"),
        (["-o", "file"], "file"),
        (["-o", "public", "--sort", "psrn"], "psnr"),
        (["-o", "public", "--dataset", "hrr"], "hr"),
        ([], "--output"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_written(scored, iqbench, arguments, told):
    Path("file").write_text("mine")
    ran = iqbench("site", *arguments)
    assert ran.code == 2
    assert told in ran.err
    assert not Path("public").exists()
    assert Path("file").read_text() == "mine"
