"""Files with values of single images, in the formats that people have."""

from __future__ import annotations

import unicodedata
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iqbench.errors import IqbenchError
from iqbench.explain.evidence import gather
from iqbench.explain.names import Names
from iqbench.explain.printed import read_printed
from iqbench.explain.value import Reported
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
    "log of KAIR": (
        "test.log",
        "23-05-01 12:00:00.1 : ->   0--> baby.png | 33.91dB\n"
        "23-05-01 12:00:01.2 : ->   1--> bird.png | 32.57dB\n"
        "23-05-01 12:00:02.3 : ->   2--> img_001.png | 30.10dB\n"
        "23-05-01 : <epoch: 12, iter: 5,000, Average PSNR : 32.19dB\n",
    ),
    "log of MMagic": (
        "test.log",
        "05/01 12:00:00 - mmengine - INFO - Epoch(test) [1/3] baby PSNR: 33.91 SSIM: 0.9 time: 0\n"
        "05/01 12:00:01 - mmengine - INFO - Epoch(test) [2/3] bird PSNR: 32.57 SSIM: 0.8 time: 0\n"
        "05/01 12:00:02 - mmengine - INFO - Epoch(test) [3/3] img_001 PSNR: 30.10 SSIM: 0.7\n"
        "05/01 12:00:02 - mmengine - INFO - Iter(test) [3/3] Set5/PSNR: 32.19 Set5/SSIM: 0.8\n",
    ),
    "log in colours": (
        "test.log",
        "\x1b[32mINFO\x1b[0m baby \x1b[1mPSNR\x1b[0m=\x1b[36m33.91\x1b[0m\n"
        "\x1b[32mINFO\x1b[0m bird PSNR=\x1b[36m32.57\x1b[0m\nimg_001 PSNR=30.10\n",
    ),
    "tensors": (
        "test.log",
        "baby psnr: tensor(33.91) ssim: tensor([0.9], device='cuda:0')\n"
        "bird psnr: tensor(32.57)\nimg_001 psnr: tensor([30.10])\n",
    ),
    "progress bar": (
        "test.log",
        "\r 1/3 [00:01<00:10, 1.2s/it] baby psnr=33.91, ssim=.9\r 2/3 [00:02<00:09, 1.2s/it] bird "
        "psnr=32.57, ssim=.8\r 3/3 img_001 psnr=30.10\n",
    ),
    "values below the name": (
        "test.log",
        "Processing baby.png ...\n  PSNR: 33.91\n  SSIM: 0.9\nProcessing bird.png ...\n"
        "  PSNR: 32.57\nProcessing img_001.png ...\n  PSNR: 30.10\nAverage\n  mean PSNR: 32.19\n",
    ),
    "Markdown": (
        "table.md",
        "| image | SSIM | PSNR |\n| --- | ---: | ---: |\n| baby | 0.90 | **33.91** |\n"
        "| bird | 0.80 | 32.57 ± 0.2 |\n| img_001 | 0.70 | 30.10 |\n| mean | 0.8 | 32.19 |\n",
    ),
    "LaTeX": (
        "table.tex",
        "Image & SSIM$\\uparrow$ & PSNR (dB) $\\uparrow$ \\\\ \\hline\n"
        "baby & $0.90$ & \\textbf{33.91} \\\\\nbird & .8 & \\underline{32.57} \\\\\n"
        "img\\_001.png & .7 & 30.10 \\\\ \\hline\nAverage & .8 & 32.19 \\\\\n",
    ),
    "two in a cell": (
        "table.md",
        "| image | PSNR/SSIM |\n|---|---|\n| baby | 33.91/.9 |\n| bird | 32.57/.8 |\n"
        "| img_001 | 30.10 / .7 |\n",
    ),
    "columns of pandas": (
        "out.txt",
        "      image   ssim   psnr\n0  baby.png   0.90  33.91\n1  bird.png   0.80  32.57\n"
        "2  img_001.png   0.70  30.10\n",
    ),
    "commas for points": ("v.csv", "image;psnr\nbaby;33,91\nbird;32,57 dB\nimg_001;30,10\n"),
    "headings of Weights & Biases": (
        "v.csv",
        '"Step","_step","image","val/psnr","val/ssim"\n"0","0","baby","33.91","0.9"\n'
        '"1","1","bird","32.57","0.8"\n"2","2","img_001","30.10","0.7"\n',
    ),
    "no headings": ("v.csv", "baby.png,33.91\nbird.png,32.57\nimg_001.png,30.10\n"),
    "mean below": (
        "v.csv",
        "id,filename,PSNR ↑\n0,baby,33.91\n1,bird,32.57\n2,img_001,30.10\n,mean,32\n",
    ),
    "a row for each metric": (
        "v.csv",
        "image,metric,value\nbaby,psnr,33.91\nbaby,ssim,.9\nbird,psnr,32.57\nimg_001,psnr,30.10\n",
    ),
    "lines of JSON": (
        "v.jsonl",
        '{"image": "baby", "psnr": 33.91}\n{"image": "bird", "psnr": 32.57}\n'
        '{"image": "img_001", "psnr": 30.10}\n',
    ),
    "columns of JSON": (
        "v.json",
        '{"image": ["baby", "bird", "img_001"], "psnr": [33.91, 32.57, 30.10], "epoch": 3}',
    ),
    "inside JSON": (
        "v.json",
        '{"model": "x", "sets": {"Set5": {"baby": {"psnr": 33.91}, "bird": {"psnr": 32.57}, '
        '"img_001": {"psnr": 30.10}, "average": {"psnr": 32.19}}}}',
    ),
    "YAML": ("v.yaml", "baby:\n  psnr: 33.91\nbird:\n  psnr: 32.57\nimg_001:\n  psnr: 30.10\n"),
    "bare lines": ("psnr.txt", "baby.png 33.91\nbird.png 32.57\nimg_001.png 30.10\n"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_with_its_digits(tmp_path, form):
    name, text = FORMS[form]
    path = tmp_path / name
    path.write_text(text)
    found = read_values(path, ["psnr"], NAMES, None)
    values = {NAMES.images[NAMES.find(key)]: value for key, value in found["psnr"].items()}
    assert {name: read_printed(value) for name, value in values.items()} == {
        name: Decimal(value) for name, value in PSNR.items()
    }


def test_text_of_powershell_is_read(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("baby psnr 33.91\n", encoding="utf-16")
    assert read_values(path, ["psnr"], NAMES, None) == {"psnr": {"baby": "33.91"}}


NUMBERED = Names(["1", "22", "23"], [["1.png", "1.png"], ["22.png"] * 2, ["23.png"] * 2])


@pytest.mark.parametrize(
    "text",
    [
        "1.png 22.15\n22.png 23.40\n",
        "PSNR 22.15 for 1.png\nPSNR 23.40 for 22.png\n",
        "1 22.15\n22 23.40\n",
        "[1/23] 1: psnr 22.15\n[2/23] 22: psnr 23.40\n",
        "1:22.15dB\n22:23.40dB\n",
    ],
)
def test_a_value_is_no_image_that_has_the_same_number(tmp_path, text):
    path = tmp_path / "log.txt"
    path.write_text(text)
    assert read_values(path, ["psnr"], NUMBERED, None) == {"psnr": {"1": "22.15", "22": "23.40"}}


UNUSUAL = ["my photo 1", "my photo 10", "fleur_été", "a,b", "img(1)", "x=2"]


@pytest.mark.parametrize("name", UNUSUAL)
def test_names_with_spaces_and_signs_are_found_in_lines(tmp_path, name):
    names = Names(UNUSUAL, [[f"{each}.png"] * 2 for each in UNUSUAL])
    path = tmp_path / "log.txt"
    path.write_text(unicodedata.normalize("NFD", f"PSNR of {name}.png is 22.15\n"))
    assert read_values(path, ["psnr"], names, None) == {"psnr": {name: "22.15"}}


def test_the_mean_after_a_list_of_names_is_no_value_of_the_last(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("Loading baby.png\nLoading bird.png\nPSNR: 33.20\n")
    with pytest.raises(IqbenchError, match="holds no value of psnr"):
        read_values(path, ["psnr"], NAMES, None)


def test_one_label_for_two_numbers_is_split_in_its_order(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("baby SSIM/PSNR: 0.91/33.91\n")
    found = read_values(path, ["psnr", "ssim"], NAMES, None)
    assert found == {"psnr": {"baby": "33.91"}, "ssim": {"baby": "0.91"}}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("28.42 dB", "28.42"),
        ("28.42dB", "28.42"),
        ("28,42", "28.42"),
        ("98.12%", ".9812"),
        ("98.12\\%", ".9812"),
        ("27.31 ± 2.14", "27.31"),
        ("27.31±2.14", "27.31"),
        ("27.31 +/- 2.14", "27.31"),
        ("27.31 (2.14)", "27.31"),
        ("$27.31 \\pm 2.14$", "27.31"),
        ("\\textbf{27.31}", "27.31"),
        ("**27.31**", "27.31"),
        ("<b>27.31</b>", "27.31"),
        ("\N{MINUS SIGN}3.5", "-3.5"),
        ("4,847.82", "4847.82"),
        ("2.6e+01", "26"),
        ("∞", "Infinity"),
        ("inf dB", "Infinity"),
    ],
)
def test_numbers_are_read_as_they_are_printed(text, number):
    assert read_printed(text) == Decimal(number)


def test_the_digits_of_per_cent_are_kept():
    assert Reported.parse("98.12%").half == pytest.approx(5e-5)


@pytest.mark.parametrize("text", ["", "nan", "high", "28.4.2", "1e999", "12:30", "2,8,4", "x4"])
def test_other_text_is_no_number(text):
    with pytest.raises(IqbenchError, match="no number"):
        read_printed(text)


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
        (
            "v.csv",
            "image,psnr\nbaby,high\n",
            r"v\.csv, psnr of 'baby': the value 'high' is no number",
        ),
        (
            "v.csv",
            "image,psnr\nbaby,nan\n",
            r"v\.csv, psnr of 'baby': the value 'nan' is no number",
        ),
        ("v.csv", "baby,33.91,0.91\n", "2 columns of numbers for 1 metrics"),
        ("v.csv", "image,val/psnr,train/psnr\nbaby,33.91,35\n", "has two values of psnr"),
        ("v.json", '{"baby": 33.91, "baby": 33.92}', "'baby' stands twice"),
        ("v.json", "[" * 100_000, "nested too deeply"),
        ("v.yaml", "a: [", "line 1: this is not valid YAML"),
        ("v.log", "baby or bird 33.91\n", "line 1 names several images: baby, bird"),
        ("v.json", "{", "no JSON"),
        ("v.json", '[{"psnr": 3}]', "names no image"),
        ("v.log", "baby 33.91 0.91\n", "not clear which of 33.91, 0.91 is psnr"),
        ("v.log", "nothing\n", "holds no value of psnr"),
    ],
)
def test_impossible_values_are_refused_by_name(tmp_path, name, text, message):
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


def test_a_pattern_that_matches_nothing_shows_the_first_line(tmp_path):
    path = tmp_path / "log"
    path.write_text("\nbaby 3\n")
    with pytest.raises(IqbenchError, match=r"matches no line of .*first line is 'baby 3'"):
        read_values(path, ["psnr"], NAMES, "(?P<name>.*) = (?P<value>.*)")


def test_a_metric_that_a_file_lacks_is_named_with_the_file(tmp_path):
    path = tmp_path / "v.csv"
    path.write_text("image,psnr\nbaby,33.91\n")
    with pytest.raises(IqbenchError, match=r"v\.csv holds no value of ssim"):
        gather({"psnr": 1e-6, "ssim": 1e-6}, [None, None], path, None, NAMES)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(IqbenchError, match=r"none\.csv cannot be read"):
        read_values(tmp_path / "none.csv", ["psnr"], NAMES, None)


@settings(max_examples=30)
@given(
    name=st.sampled_from(
        ["baby", "baby.png", "out/baby_x4.png", "BABY.PNG", "hr\\baby.png", "babyx4_SwinIR.png"]
    )
)
def test_images_are_called_as_files_are(name):
    assert NAMES.find(name) == 0


def test_a_name_that_fits_two_images_is_refused():
    names = Names(["a/1", "b/1"], [["1.png"], ["1.png"]])
    assert names.find("1") is None
    assert names.find("b/1") == 1


def test_values_of_several_metrics_are_given_by_metric():
    with pytest.raises(IqbenchError, match="by metric"):
        gather({"psnr": 1e-6, "ssim": 1e-6}, [None, None], {"baby": 3}, None, NAMES)
    with pytest.raises(IqbenchError, match="'niqe'"):
        gather({"psnr": 1e-6}, [None], {"niqe": {"baby": 3}}, None, NAMES)


def test_yaml_with_aliases_for_billions_of_values_is_refused(tmp_path):
    path = tmp_path / "values.yaml"
    lines = ["a0: &a0 {baby: 1}"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    path.write_text("\n".join(lines))
    with pytest.raises(IqbenchError, match=r"values.yaml, line \d+: this stands for more than"):
        read_values(path, ["psnr"], NAMES, None)


def test_a_duplicate_key_in_yaml_is_refused(tmp_path):
    path = tmp_path / "values.yaml"
    path.write_text("baby: 33.20\nbaby: 33.30\n")
    with pytest.raises(IqbenchError, match="line 2: key 'baby' is there a second time"):
        read_values(path, ["psnr"], NAMES, None)
