from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Collection
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iqbench.datasets.dataset import Dataset, reference_folder
from iqbench.datasets.matching import by_name
from iqbench.datasets.matching.by_name import Matches, match_outputs
from iqbench.datasets.matching.comparison import check_ways, compared, pair_names
from iqbench.datasets.matching.methods import Method
from iqbench.datasets.matching.outputs import outputs_alone
from iqbench.datasets.template import OutputName
from iqbench.errors import IqbenchError

MakeFiles = Callable[..., Path]
MakeDataset = Callable[..., Dataset]

REFERENCES = ["img_001.png", "img_002.png", "img_003.png"]
IDS = ["img_001", "img_002", "img_003"]


def match(
    folder: Path,
    dataset: Dataset,
    template: str | None = None,
    *,
    alone: bool = False,
    ways: Collection[str] = (),
) -> Matches:
    return match_outputs(Method("m", folder), dataset, alone=alone, output_name=template, ways=ways)


def test_an_output_is_the_file_of_the_images_stem_of_any_image_suffix(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    folder = make_files("m", ["refs/img_001.jpg", "refs/img_002.PNG", "refs/img_003.png"])
    found = match(folder, make_dataset(REFERENCES))
    assert found.attempted
    assert found.problems == {}
    assert found.extra == []
    assert [path.name for path in found.outputs.values()] == [
        "img_001.jpg",
        "img_002.PNG",
        "img_003.png",
    ]
    assert found.outputs["img_001"] == folder / "refs" / "img_001.jpg"


def test_references_below_the_methods_folder_are_no_outputs(make_files: MakeFiles) -> None:
    names = [f"hr/{name}" for name in REFERENCES]
    folder = make_files("all", [*names, *(f"out/{image}_x4.png" for image in IDS)])
    dataset = reference_folder(folder / "hr")
    for ways in ((), ("flat",)):
        found = match(folder, dataset, alone=True, ways=ways)
        assert found.outputs == {}
        assert found.message.count("3 outputs would fit with --output-name 'out/{id}_x4'") == 1
    copies = make_files("copies", [f"of/{name}" for name in REFERENCES])
    assert "3 outputs would fit with --match flat" in match(copies, dataset, alone=True).message


def test_images_in_folders_have_their_outputs_in_folders(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    dataset = make_dataset(["a/1.png", "a/b/1.png", "2.png"])
    folder = make_files("m", ["refs/a/1.png", "refs/a/b/1.png", "refs/2.png"])
    found = match(folder, dataset)
    assert found.outputs == {
        "2": folder / "refs/2.png",
        "a/1": folder / "refs/a/1.png",
        "a/b/1": folder / "refs/a/b/1.png",
    }
    assert found.extra == []


def test_with_one_dataset_the_outputs_may_lie_in_the_method_folder(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    dataset = make_dataset(REFERENCES)
    folder = make_files("m", REFERENCES)
    assert list(match(folder, dataset, alone=True).outputs) == IDS
    assert not match(folder, dataset, alone=False).attempted


def test_outputs_in_the_methods_folder_and_in_the_datasets_are_refused(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    folder = make_files("m", [*REFERENCES, "refs/img_001.png"])
    with pytest.raises(IqbenchError, match="has outputs for dataset 'refs' in") as caught:
        match(folder, make_dataset(REFERENCES), alone=True)
    assert f"--method m={folder / 'refs'}" in caught.value.hint
    # With several datasets only the folder of the dataset counts.
    found = match(folder, make_dataset(REFERENCES), alone=False)
    assert found.outputs == {"img_001": folder / "refs" / "img_001.png"}


@pytest.mark.parametrize("inside", ["refs/other.png", "refs/notes.txt"])
def test_outputs_beside_an_unfit_folder_of_the_dataset_are_pointed_out(
    make_files: MakeFiles, make_dataset: MakeDataset, inside: str
) -> None:
    folder = make_files("m", [*REFERENCES, inside])
    found = match(folder, make_dataset(REFERENCES), alone=True)
    assert not found.outputs
    said = found.hint or found.message
    assert f"Outputs with these names are in {folder}, which is not searched" in said
    assert "--dataset-name" in said
    # Taken in the way that is offered.
    assert list(match(folder, make_dataset(REFERENCES, name="new"), alone=True).outputs) == IDS


def test_other_files_in_the_methods_folder_do_not_matter(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    folder = make_files("m", ["plot.png", "refs/img_001.png"])
    found = match(folder, make_dataset(REFERENCES), alone=True)
    assert found.outputs == {"img_001": folder / "refs" / "img_001.png"}


def test_every_image_without_exactly_one_output_is_named(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    folder = make_files("m", ["refs/img_001.png", "refs/img_001.jpg", "refs/img_003.png"])
    found = match(folder, make_dataset(REFERENCES))
    assert list(found.outputs) == ["img_003"]
    assert "img_001.jpg, img_001.png" in found.problems["img_001"]
    assert "ambiguous" in found.problems["img_001"]
    assert "missing" in found.problems["img_002"]
    assert "img_002.*" in found.problems["img_002"]


def test_files_and_folders_of_no_image_are_named_hidden_and_other_files_are_not(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    names = [*REFERENCES, "img_10.png", "img_9.png", "log.txt", ".img_001.png", "old/img_001.png"]
    names += ["__MACOSX/._img_001.png", "@eaDir/img_001.png/thumb.jpg", "Thumbs.db"]
    folder = make_files("m", [f"refs/{name}" for name in names])
    found = match(folder, make_dataset(REFERENCES))
    assert found.extra == ["img_9.png", "img_10.png", "old/"]
    assert list(found.outputs) == IDS


def test_accents_are_found_in_either_form_of_unicode(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    composed, apart = "\u00fc", "u\u0308"
    folder = make_files("m", [f"refs/{apart}.png", f"refs/{composed}2.png"])
    found = match(folder, make_dataset([f"{composed}.png", f"{apart}2.png"]))
    assert {image: path.stem for image, path in found.outputs.items()} == {
        composed: apart,
        f"{apart}2": f"{composed}2",
    }
    both = make_files("both", [f"refs/{apart}.png", f"refs/{composed}.png"])
    found = match(both, make_dataset([f"{composed}.png", f"{apart}.png"]))
    assert all(path.stem == image for image, path in found.outputs.items())
    assert len(found.outputs) == 2


@pytest.mark.parametrize("spelled", ["\u00fc", "u\u0308"])
def test_an_output_that_is_spelt_as_one_image_is_not_that_of_another(
    make_files: MakeFiles, make_dataset: MakeDataset, spelled: str
) -> None:
    names = ["\u00fc", "u\u0308"]
    folder = make_files("m", [f"refs/{spelled}.png"])
    found = match(folder, make_dataset([f"{name}.png" for name in names]))
    assert list(found.outputs) == [spelled]
    (other,) = set(names) - {spelled}
    assert found.problems[other].startswith(f"missing output: no {other}.* in ")
    assert found.extra == []


def test_an_output_that_could_belong_to_two_images_is_used_for_neither(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    # Two orders of the same marks; composed, they are one text.
    first, second = "a\u0323\u0302", "a\u0302\u0323"
    folder = make_files("m", ["refs/\u1ead.png", "refs/b.png"])
    found = match(folder, make_dataset([f"{first}.png", f"{second}.png", "b.png"]))
    assert list(found.outputs) == ["b"]
    for image in (first, second):
        assert found.problems[image].startswith("ambiguous output in ")
        assert r"'a\u0323\u0302'" in found.problems[image]
        assert r"'a\u0302\u0323'" in found.problems[image]


@pytest.mark.parametrize("target", ["gone.png", "refs/img_002.png"])
def test_a_folder_named_like_an_output_and_a_dead_link_are_no_outputs(
    make_files: MakeFiles, make_dataset: MakeDataset, target: str
) -> None:
    folder = make_files("m", ["refs/img_001.png/x.png", "refs/img_003.png"])
    (folder / "refs" / "img_002.png").symlink_to(folder / target)
    for ways in ((), ("case",)):
        found = match(folder, make_dataset(REFERENCES), ways=ways)
        assert list(found.outputs) == ["img_003"]
        assert set(found.problems) == {"img_001", "img_002"}
        assert found.problems["img_002"].endswith("; img_002.png is a link that leads nowhere")
        assert found.hint == ""


def test_links_that_all_lead_nowhere_are_named(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    folder = make_files("m", ["refs/log/run.log"])
    for image in IDS:
        (folder / "refs" / f"{image}.png").symlink_to(folder / "moved" / f"{image}.png")
    (folder / "refs" / "log" / "run.log").unlink()
    (folder / "refs" / "log").rmdir()
    found = match(folder, make_dataset(REFERENCES))
    assert not found.attempted
    assert found.message.endswith(
        "refs holds no images: img_001.png is a link that leads nowhere, and 2 more"
    )


def test_an_image_whose_name_cannot_be_used_is_a_problem_of_its_own(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    folder = make_files("m", ["refs/a\nb.png"])
    found = match(folder, make_dataset(["a\nb.png"]))
    assert found.attempted
    (why,) = found.problems.values()
    assert "a control character" in why


def test_a_dataset_without_a_folder_was_not_attempted_which_is_one_line(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    folder = make_files("m", ["other/img_001.png"])
    for alone in (False, True):
        found = match(folder, make_dataset(REFERENCES), alone=alone)
        assert not found.attempted
        assert (found.outputs, found.problems, found.extra) == ({}, {}, [])
        assert found.message.startswith("method 'm' did not attempt dataset 'refs': ")


def test_a_folder_without_images_was_not_attempted(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    folder = make_files("m", ["refs/log.txt", "refs/x4/img_001.png"])
    found = match(folder, make_dataset(REFERENCES))
    assert not found.attempted
    assert "holds no images, only folders (x4/)" in found.message


# names by template


def test_a_template_says_how_outputs_are_named(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    dataset = make_dataset(REFERENCES)
    folder = make_files("m", [f"refs/{image}_x4.png" for image in IDS] + ["refs/img_001.png"])
    found = match(folder, dataset, "{id}_x4")
    assert found.outputs["img_002"] == folder / "refs" / "img_002_x4.png"
    assert found.extra == ["img_001.png"]


def test_a_template_with_a_suffix_takes_only_that(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    folder = make_files("m", ["refs/img_001.png", "refs/img_001.jpg", "refs/img_002.jpg"])
    found = match(folder, make_dataset(REFERENCES[:2]), "{id}.png")
    assert found.outputs == {"img_001": folder / "refs" / "img_001.png"}
    assert "img_002.png" in found.problems["img_002"]
    assert found.extra == ["img_001.jpg", "img_002.jpg"]


def test_a_template_may_lead_into_a_folder(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    folder = make_files("m", [f"refs/x4/{image}.png" for image in IDS])
    found = match(folder, make_dataset(REFERENCES), "x4/{id}")
    assert list(found.outputs) == IDS
    assert found.extra == []


@pytest.mark.parametrize(
    "template",
    [
        "x4",
        "{name}",
        "{id}{id}",
        "{id",
        "{}",
        "{id!r}",
        "{id:>3}",
        "{id.real}",
        "../{id}",
        "/{id}",
        "C:\\{id}",
        "a\\..\\{id}",
        "{id}/../../x",
    ],
)
def test_templates_that_cannot_be_are_refused(template: str) -> None:
    with pytest.raises(IqbenchError, match="output name"):
        OutputName.parse(template)


@given(st.text(alphabet="ab_{}.", max_size=5), st.text(alphabet="ab_{}", max_size=5))
def test_a_template_writes_what_format_writes(before: str, after: str) -> None:
    template = f"{before}{{id}}{after}".replace("{", "{{").replace("}", "}}")
    template = template.replace("{{id}}", "{id}")
    name = OutputName.parse(template)
    assert name.stem("7") + name.suffix == template.format(id="7")


# hints


@pytest.mark.parametrize(
    ("pattern", "template"),
    [("{id}_x4", "{id}_x4"), ("sr-{id}", "sr-{id}"), ("out_{id}_SwinIR", "out_{id}_SwinIR")],
)
def test_where_nothing_fits_the_template_that_would_is_proposed(
    make_files: MakeFiles, make_dataset: MakeDataset, pattern: str, template: str
) -> None:
    names = [f"refs/{pattern.replace('{id}', image)}.png" for image in IDS]
    found = match(make_files("m", names), make_dataset(REFERENCES))
    assert set(found.problems) == set(IDS)
    assert f"--output-name '{template}'" in found.hint


Names = list[str]
FRAMES = [f"{number}" for number in range(1, 13)]

OFFERED = {
    "numbers without zeros": (
        *([f"{name:>04}" for name in FRAMES], FRAMES),
        "--match numbers",
    ),
    "zeros in references of some": (
        *([f"frame_{name}" for name in FRAMES], [f"frame_{name:>05}" for name in FRAMES]),
        "--match numbers",
    ),
    "zeros beside one and two digits": (
        *([f"{name:>02}" for name in FRAMES], FRAMES),
        "--match numbers",
    ),
    "another case": (
        *([f"IMG_{name}" for name in FRAMES], [f"img_{name}" for name in FRAMES]),
        "--match case",
    ),
    "another case and zeros": (
        *([f"IMG_{name}" for name in FRAMES], [f"img_{name:>04}" for name in FRAMES]),
        "--match case,numbers",
    ),
    "another case of folders": (
        *([f"Scene/{name}" for name in FRAMES], [f"scene/{name}" for name in FRAMES]),
        "--match case",
    ),
    "flattened, one folder left out": (
        *([f"s1/sharp/{name}" for name in FRAMES], [f"s1_{name}" for name in FRAMES]),
        "--match flat",
    ),
    "flattened with hyphens": (
        [f"s{scene}/{name}" for scene in "12" for name in FRAMES],
        [f"s{scene}-{name}" for scene in "12" for name in FRAMES],
        "--match flat",
    ),
    "a folder more": (
        *(FRAMES, [f"images/{name}" for name in FRAMES]),
        "--match flat",
    ),
    "other folders": (
        [f"s{scene}/sharp/{name}" for scene in "12" for name in FRAMES],
        [f"s{scene}/deblurred/{name}" for scene in "12" for name in FRAMES],
        "--match flat",
    ),
    "flattened references": (
        [f"s{scene}_{name}" for scene in "12" for name in FRAMES],
        [f"s{scene}/{name}" for scene in "12" for name in FRAMES],
        "--match flat",
    ),
    "flattened, with zeros and in another case": (
        [f"S{scene}/{name:>03}" for scene in "12" for name in FRAMES],
        [f"s{scene}_{name}" for scene in "12" for name in FRAMES],
        "--match case,numbers,flat",
    ),
    "a suffix": (IDS, [f"{name}_SR" for name in IDS], "--output-name '{id}_SR'"),
    "a suffix and zeros": (
        *(FRAMES, [f"frame_{name:>04}_x4" for name in FRAMES]),
        "--output-name 'frame_{id}_x4' --match numbers",
    ),
    "a prefix and another case": (
        *([f"Img{name}" for name in FRAMES], [f"sr-img{name}" for name in FRAMES]),
        "--output-name 'sr-{id}' --match case",
    ),
    "braces": (IDS, [f"{{x}}{name}" for name in IDS], "--output-name '{{x}}{id}'"),
    "a blank at the end": (IDS, [f"{name} " for name in IDS], "--output-name '{id} '"),
    "a quote": (IDS, [f"{name}'s" for name in IDS], """--output-name '{id}'"'"'s'"""),
    "two suffixes of files": (
        *(IDS, [f"{name}.jpg" for name in IDS]),
        "--output-name '{id}.jpg.png'",
    ),
    "two suffixes of references": (
        *([f"{name}.jpg" for name in IDS], IDS),
        "--reference-name '{id}.jpg'",
    ),
    "a suffix of the references": (
        *([f"{name}_GT" for name in IDS], IDS),
        "--reference-name '{id}_GT'",
    ),
    "suffixes of both": (
        *([f"{name}_SRF_4_HR" for name in IDS], [f"{name}_SRF_4_SRCNN" for name in IDS]),
        "--reference-name '{id}_SRF_4_HR' --output-name '{id}_SRF_4_SRCNN'",
    ),
    "prefixes of both": (
        *([f"norain-{name}" for name in FRAMES], [f"rain-{name}" for name in FRAMES]),
        "--reference-name 'norain-{id}' --output-name 'rain-{id}'",
    ),
    "prefixes of both and zeros": (
        *([f"gt{name:>04}" for name in FRAMES], [f"sr{name}" for name in FRAMES]),
        "--reference-name 'gt{id}' --output-name 'sr{id}' --match numbers",
    ),
}


@pytest.mark.parametrize(("references", "outputs", "options"), OFFERED.values(), ids=OFFERED)
def test_the_options_that_are_offered_pair_everything(
    make_files: MakeFiles, references: Names, outputs: Names, options: str
) -> None:
    hr = make_files("hr", [f"{name}.png" for name in references])
    method = Method("m", make_files("m", [f"{name}.png" for name in outputs]))
    found = match_outputs(method, reference_folder(hr), alone=True)
    text = found.hint or found.message
    assert f"would fit with {options}" in text
    given = dict(pairwise(shlex.split(text.partition("would fit with ")[2].partition(": ")[0])))
    settled = match_outputs(
        method,
        reference_folder(hr, reference_name=given.get("--reference-name")),
        alone=True,
        output_name=given.get("--output-name"),
        ways=check_ways(given["--match"]) if "--match" in given else (),
    )
    assert (settled.problems, settled.hint, settled.extra) == ({}, "", [])
    stems = [str(path.relative_to(method.folder)) for path in settled.outputs.values()]
    assert sorted(stems) == sorted(f"{name}.png" for name in outputs)


def test_offered_options_pair_the_right_files(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    dataset = make_dataset([f"S{scene}/sharp/{n:03}.png" for scene in "12" for n in (1, 10)])
    folder = make_files("m", [f"s{scene}_{n}.png" for scene in "12" for n in (1, 10)])
    found = match(folder, dataset, ways=("case", "numbers", "flat"), alone=True)
    assert {image: path.name for image, path in found.outputs.items()} == {
        "S1/sharp/001": "s1_1.png",
        "S1/sharp/010": "s1_10.png",
        "S2/sharp/001": "s2_1.png",
        "S2/sharp/010": "s2_10.png",
    }


def test_exact_names_come_first(make_files: MakeFiles, make_dataset: MakeDataset) -> None:
    dataset = make_dataset(["1.png", "01.png", "a.png", "A.png"])
    names = ["1.png", "01.png", "001.png", "a.png", "A.png"]
    found = match(make_files("m", names), dataset, ways=("numbers", "case"), alone=True)
    assert {image: path.name for image, path in found.outputs.items()} == {
        "1": "1.png",
        "01": "01.png",
        "a": "a.png",
        "A": "A.png",
    }
    assert found.extra == ["001.png"]


@pytest.mark.parametrize(
    ("references", "outputs", "ways", "doubts"),
    [
        (["0001"], ["1", "01"], ["numbers"], {"0001": "01.png, 1.png"}),
        (["01", "001"], ["1"], ["numbers"], {"01": "1.png, which", "001": "that of 001 or 01"}),
        (["AB", "Ab"], ["ab"], ["case"], {"AB": "that of AB or Ab", "Ab": "ab.png, which"}),
        (["a/1", "b/1"], ["1"], ["flat"], {"a/1": "that of a/1 or b/1", "b/1": "1.png, which"}),
        (["x"], ["a/x", "b/x"], ["flat"], {"x": "b/x.png"}),
        (
            ["1/2/x", "2/1/x"],
            ["1_x", "2_x"],
            ["flat"],
            {"1/2/x": "folders can be left out in two ways", "2/1/x": "two ways"},
        ),
    ],
)
def test_ambiguous_pairs_are_refused(
    make_files: MakeFiles,
    make_dataset: MakeDataset,
    references: Names,
    outputs: Names,
    ways: Names,
    doubts: dict[str, str],
) -> None:
    dataset = make_dataset([f"{name}.png" for name in references])
    folder = make_files("m", [f"{name}.png" for name in outputs])
    found = match(folder, dataset, ways=ways, alone=True)
    assert found.outputs == {}
    assert found.problems.keys() == doubts.keys()
    for image, text in doubts.items():
        assert found.problems[image].startswith("ambiguous output in ")
        assert text in found.problems[image]


def test_folders_are_left_out_everywhere_or_nowhere(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    # Where the output of s2/sharp/1 is missing, the stray file 1.png is not taken for it.
    dataset = make_dataset([f"{scene}/sharp/{n}.png" for scene in ("s1", "s2") for n in (1, 2)])
    folder = make_files("m", ["s1_1.png", "s1_2.png", "s2_2.png", "1.png"])
    found = match(folder, dataset, ways=["flat"], alone=True)
    assert set(found.problems) == {"s2/sharp/1"}
    assert found.extra == ["1.png"]
    assert "missing output" in found.problems["s2/sharp/1"]


@given(st.lists(st.text(alphabet="aA01_", min_size=1, max_size=4), unique=True), st.data())
def test_no_output_is_given_twice_and_none_to_what_is_compared_otherwise(
    stems: list[str], data: st.DataObject
) -> None:
    ways = data.draw(st.sets(st.sampled_from(["case", "numbers"])))
    names = data.draw(st.lists(st.text(alphabet="aA01_", min_size=1, max_size=4), unique=True))
    found = pair_names({stem: stem for stem in stems}, [f"{name}.png" for name in names], ways)
    assert len(set(found.outputs.values())) == len(found.outputs)
    for image, name in found.outputs.items():
        assert compared(image, ways) == compared(name.removesuffix(".png"), ways)
    for stem in stems:
        equal = [name for name in names if compared(name, ways) == compared(stem, ways)]
        assert bool(equal) == (stem in found.outputs or stem in found.doubts)


@pytest.mark.parametrize("words", ["numbers,case", ["numbers", "case"], " case , numbers"])
def test_ways_are_words(words: str | Names) -> None:
    assert check_ways(words) == {"case", "numbers"}


@pytest.mark.parametrize("words", ["number", "", "numbers,", ["flat", "fuzzy"]])
def test_unknown_ways_are_refused(words: str | Names) -> None:
    with pytest.raises(IqbenchError, match="unknown way to match names"):
        check_ways(words)


@pytest.mark.parametrize(
    ("names", "template", "options"),
    [
        (["img_001.png", "img_001.jpg"], None, "--output-name '{id}.jpg' or .*'{id}.png'"),
        (["img_001.png", "img_001.jpg", "img_002.jpg"], None, "--output-name '{id}.jpg'$"),
        (["img_001_x4.png", "img_001_x4.JPG"], "{id}_x4", "'{id}_x4.jpg' or .*'{id}_x4.png'"),
    ],
)
def test_the_template_that_settles_several_outputs_is_named(
    make_files: MakeFiles,
    make_dataset: MakeDataset,
    names: Names,
    template: str | None,
    options: str,
) -> None:
    folder, dataset = make_files("m", names), make_dataset(REFERENCES[:2])
    found = match(folder, dataset, template, alone=True)
    assert re.search(options.replace("{id}", r"\{id\}"), found.hint)
    named = shlex.split(found.hint.partition("--output-name ")[2])[0]
    assert "img_001" in match(folder, dataset, named, alone=True).outputs


def test_where_no_template_settles_it_the_files_are_to_be_moved(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    names = ["img_001.png", "img_001.PNG", "img_002.jpg"]
    found = match(make_files("m", names), make_dataset(REFERENCES[:2]), alone=True)
    assert found.hint == (
        "Where several files may be the output of an image, leave one and move the others"
    )


def test_a_hint_is_no_reason_to_fail(make_files: MakeFiles, make_dataset: MakeDataset) -> None:
    def refuse(folder: Path) -> None:
        raise IqbenchError("cannot list folder")

    with pytest.MonkeyPatch.context() as patch:
        dataset = make_dataset(REFERENCES)
        patch.setattr(by_name, "walk", refuse)
        folder = make_files("m", ["refs/img_001.png", "refs/x.png"])
        assert list(match(folder, dataset).outputs) == ["img_001"]
        with pytest.raises(IqbenchError, match="cannot list folder"):
            match(folder, dataset, ways=["case"])


def test_where_no_template_fits_an_example_of_both_is_shown(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    found = match(make_files("m", ["refs/0801.png"]), make_dataset(REFERENCES))
    assert "'img_001'" in found.hint
    assert "'0801.png'" in found.hint
    assert "--pairs FILE.csv" in found.hint


def test_a_hint_survives_one_missing_file_and_short_ids(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    ids = [str(number) for number in range(1, 31)]
    names = [f"refs/{image}_x4.png" for image in ids[:-1]]
    found = match(make_files("m", names), make_dataset([f"{image}.png" for image in ids]))
    assert "--output-name '{id}_x4'" in found.hint


def test_many_files_match_quickly(make_files: MakeFiles, make_dataset: MakeDataset) -> None:
    names = [f"{number}.png" for number in range(5000)]
    dataset = make_dataset(names)
    folder = make_files("m", [f"refs/x_{name}" for name in names])
    start = time.perf_counter()
    by_hint = match(folder, dataset)
    by_name = match(folder, dataset, "x_{id}")
    # 100,000 in seconds means 5,000 in a fraction of one; the margin is for a busy machine.
    assert time.perf_counter() - start < 2
    assert "'x_{id}'" in by_hint.hint
    assert len(by_name.outputs) == 5000


def test_a_file_of_the_right_name_that_is_not_read_is_named(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    folder = make_files("m", ["refs/img_001.gif", "refs/img_002.png", "refs/img_002.avif"])
    found = match(folder, make_dataset(REFERENCES))
    assert list(found.outputs) == ["img_002"]
    assert found.problems == {
        "img_001": f"missing output: no img_001.* in {folder}/refs; img_001.gif does not end like "
        "an image that is read",
        "img_003": f"missing output: no img_003.* in {folder}/refs",
    }


def test_files_of_formats_that_are_not_read_are_named_where_there_are_no_images(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    folder = make_files("m", ["refs/img_001.gif", "refs/img_002.gif"])
    found = match(folder, make_dataset(REFERENCES))
    assert not found.attempted
    assert f"{folder}/refs holds no images, only img_001.gif, img_002.gif" in found.message


def test_methods_that_spell_accents_unlike_share_images_without_references(
    make_files: MakeFiles,
) -> None:
    composed, apart = "\u00fc", "u\u0308"
    one = Method("one", make_files("one", [f"{composed}.png", "b.png"]))
    two = Method("two", make_files("two", [f"{apart}.png", "b.png"]))
    dataset = outputs_alone([one, two])
    assert [sample.image for sample in dataset.samples] == ["b", composed]
    for method in (one, two):
        assert not match_outputs(method, dataset, alone=True).problems
    both = Method("both", make_files("both", [f"{composed}.png", f"{apart}.png"]))
    images = {sample.image for sample in outputs_alone([one, both]).samples}
    assert images == {"b", composed, apart}
