"""Values of single images in the forms in which people have them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iqbench.errors import IqbenchError
from iqbench.explain.evidence import gather
from iqbench.explain.names import Names
from iqbench.explain.values_file import read_values

NAMES = Names(
    ["baby", "bird", "img_001"],
    [["baby.png", "baby_x4.png"], ["bird.png", "bird_x4.png"], ["img_001.png", "img_001_x4.png"]],
)
PSNR = {"baby": "33.91", "bird": "32.57", "img_001": "30.10"}

FORMS = {
    "image and value": ("v.csv", "image,value\nbaby,33.91\nbird,32.57\nimg_001,30.10\n"),
    "metric as heading": (
        "v.csv",
        "name,PSNR (dB),ssim\nbaby,33.91,.9\nbird,32.57,\nimg_001,30.10,",
    ),
    "semicolons": ("v.csv", "file;psnr\nbaby;33.91\nbird;32.57\nimg_001;30.10\n"),
    "tabs": ("v.tsv", "image\tpsnr\nbaby\t33.91\nbird\t32.57\nimg_001\t30.10\n"),
    "object": ("v.json", '{"baby": 33.91, "bird": 32.57, "img_001": 30.10}'),
    "by image": (
        "v.json",
        '{"baby": {"psnr": 33.91}, "bird": {"PSNR": 32.57}, "img_001": {"psnr": 30.10, "ssim": 1}}',
    ),
    "by metric": ("v.json", '{"psnr": {"baby": 33.91, "bird": 32.57, "img_001": 30.10}}'),
    "list": (
        "v.json",
        '[{"image": "baby", "psnr": 33.91}, {"image": "bird", "psnr": 32.57},'
        ' {"image": "img_001", "psnr": 30.10}]',
    ),
    "log of BasicSR": (
        "test.log",
        "2021-03-02 17:42:10,101 INFO: Testing Set5...\n"
        "INFO: baby\t # psnr: 33.91\t # ssim: 0.9\nINFO: bird # psnr: 32.57 # ssim: 0.8\n"
        "img_001 # psnr: 30.10\n\t # average psnr: 32.19\n",
    ),
    "log of SwinIR": (
        "test.log",
        "Testing 0 baby - PSNR: 33.91 dB; SSIM: 0.9\nTesting 1 bird - PSNR: 32.57 dB; SSIM: 0.8\n"
        "Testing 2 img_001 - PSNR: 30.10 dB; SSIM: 0.7\n-- Average PSNR/SSIM: 32.19 dB; 0.8\n",
    ),
    "bare lines": ("psnr.txt", "baby.png 33.91\nbird.png 32.57\nimg_001.png 30.10\n"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_with_its_digits(tmp_path, form):
    name, text = FORMS[form]
    path = tmp_path / name
    path.write_text(text)
    found = read_values(path, ["psnr"], NAMES, None)
    assert {NAMES.images[NAMES.find(key)]: value for key, value in found["psnr"].items()} == PSNR


def test_several_metrics_are_read_from_one_line(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("baby: PSNR=33.91, MS-SSIM=0.98, SSIM=0.91\n")
    found = read_values(path, ["psnr", "ssim", "ms-ssim"], NAMES, None)
    assert found == {
        "psnr": {"baby": "33.91"},
        "ssim": {"baby": "0.91"},
        "ms-ssim": {"baby": "0.98"},
    }


def test_a_pattern_reads_any_line(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("[baby] -> 33.91 / .91\nnothing here\n[bird] -> 32.57 / .88\n")
    pattern = r"\[(?P<name>.+)\] -> (?P<psnr>\S+) / (?P<ssim>\S+)"
    found = read_values(path, ["psnr", "ssim"], NAMES, pattern)
    assert found == {
        "psnr": {"baby": "33.91", "bird": "32.57"},
        "ssim": {"baby": ".91", "bird": ".88"},
    }


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("v.csv", "image,niqe\nbaby,4.1\n", "no column psnr, but image, niqe"),
        ("v.csv", "image,psnr\nbaby,33.91\nbaby,33.90\n", "has two values of psnr"),
        ("v.csv", "image,psnr\nlenna,33.91\n", "'lenna' is none of the 3 images"),
        ("v.csv", "image,psnr\nbaby,high\n", "no number"),
        ("v.json", "{", "no JSON"),
        ("v.json", '[{"psnr": 3}]', "names no image"),
        ("v.log", "baby 33.91 0.91\n", "not clear which of 33.91, 0.91 is psnr"),
        ("v.log", "nothing\n", "holds no value of psnr"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(IqbenchError, match=message):
        gather({"psnr": 1e-6}, [None], path, None, NAMES)


@pytest.mark.parametrize("pattern", ["(", "(?P<name>.*)", "(?P<value>.*)"])
def test_a_pattern_without_its_groups_is_refused(tmp_path, pattern):
    path = tmp_path / "log"
    path.write_text("baby 3\n")
    with pytest.raises(IqbenchError, match="pattern"):
        read_values(path, ["psnr"], NAMES, pattern)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(IqbenchError, match=r"none\.csv cannot be read"):
        read_values(tmp_path / "none.csv", ["psnr"], NAMES, None)


@settings(max_examples=30, deadline=None)
@given(name=st.sampled_from(["baby", "baby.png", "out/baby_x4.png", "BABY.PNG", "hr\\baby.png"]))
def test_images_are_called_as_files_are(name):
    assert NAMES.find(name) == 0


def test_a_name_of_two_images_is_none():
    names = Names(["a/1", "b/1"], [["1.png"], ["1.png"]])
    assert names.find("1") is None
    assert names.find("b/1") == 1


def test_values_of_several_metrics_are_given_by_metric():
    with pytest.raises(IqbenchError, match="by metric"):
        gather({"psnr": 1e-6, "ssim": 1e-6}, [None, None], {"baby": 3}, None, NAMES)
    with pytest.raises(IqbenchError, match="'niqe'"):
        gather({"psnr": 1e-6}, [None], {"niqe": {"baby": 3}}, None, NAMES)
