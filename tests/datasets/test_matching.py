from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iqbench.datasets.dataset import Dataset
from iqbench.datasets.matching import Matches, match_outputs
from iqbench.datasets.methods import Method
from iqbench.datasets.template import OutputName
from iqbench.errors import IqbenchError

MakeFiles = Callable[..., Path]
MakeDataset = Callable[..., Dataset]

REFERENCES = ["img_001.png", "img_002.png", "img_003.png"]
IDS = ["img_001", "img_002", "img_003"]


def match(folder: Path, dataset: Dataset, template: str | None = None, **options: bool) -> Matches:
    alone = options.get("alone", False)
    return match_outputs(Method("m", folder), dataset, alone=alone, output_name=template)


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
    assert found.hint == ""


def test_files_and_folders_of_no_image_are_named_hidden_and_other_files_are_not(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    names = [*REFERENCES, "img_10.png", "img_9.png", "log.txt", ".img_001.png", "old/img_001.png"]
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


@pytest.mark.parametrize("target", ["gone.png", "refs/img_002.png"])
def test_a_folder_named_like_an_output_and_a_dead_link_are_no_outputs(
    make_files: MakeFiles, make_dataset: MakeDataset, target: str
) -> None:
    folder = make_files("m", ["refs/img_001.png/x.png", "refs/img_003.png"])
    (folder / "refs" / "img_002.png").symlink_to(folder / target)
    found = match(folder, make_dataset(REFERENCES))
    assert list(found.outputs) == ["img_003"]
    assert set(found.problems) == {"img_001", "img_002"}


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


def test_where_no_template_fits_an_example_of_both_is_shown(
    make_files: MakeFiles, make_dataset: MakeDataset
) -> None:
    found = match(make_files("m", ["refs/0801.png"]), make_dataset(REFERENCES))
    assert "'img_001'" in found.hint
    assert "'0801.png'" in found.hint


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
