"""Tests for every layout of datasets with human opinions."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from miniatures import BUILDERS, Miniature, kadid10k, paint, pipal, tid2013

from iqbench.datasets.dataset import DatasetSpec
from iqbench.datasets.fetching.fetch import by_hand
from iqbench.datasets.fetching.verify import verify
from iqbench.datasets.layout import MissingDataError, layouts
from iqbench.datasets.listing import describe
from iqbench.datasets.load import PACKAGED_FILE, load_datasets
from iqbench.datasets.sample import DISTORTED
from iqbench.errors import IqbenchError


@pytest.fixture(params=BUILDERS)
def miniature(request: pytest.FixtureRequest, tmp_path: Path) -> Miniature:
    return BUILDERS[request.param](tmp_path)


def test_every_image_has_its_reference_its_opinion_and_its_distortion(
    miniature: Miniature, tmp_path: Path
) -> None:
    samples = miniature.samples(tmp_path)
    outputs = [output for sample in samples for output in sample.outputs]
    assert len(samples) == miniature.images
    assert len(outputs) == miniature.outputs
    assert len({(output.method, output.image) for output in outputs}) == miniature.outputs
    assert all(output.opinion and output.distortion for output in outputs)
    methods = {"p0", "p1"} if miniature.layout == "bapps" else {DISTORTED}
    assert {output.method for output in outputs} == methods
    folder = tmp_path / miniature.folder
    files = {sample.reference.name for sample in samples} | {out.source.name for out in outputs}
    assert len(files) == miniature.images + miniature.outputs
    assert {str(folder / miniature.reference), str(folder / miniature.distorted)} <= files
    assert all(Path(file).is_file() for file in files)


def test_listing_twice_gives_the_same_order(miniature: Miniature, tmp_path: Path) -> None:
    assert miniature.samples(tmp_path) == miniature.samples(tmp_path)


def test_names_are_found_in_any_case(miniature: Miniature, tmp_path: Path) -> None:
    before = [output.image for one in miniature.samples(tmp_path) for output in one.outputs]
    folder = tmp_path / miniature.folder
    for path, folders, files in os.walk(folder, topdown=False):
        for name in (*folders, *files):
            (Path(path) / name).rename(Path(path) / name.swapcase())
    after = [output.image for one in miniature.samples(tmp_path) for output in one.outputs]
    if miniature.layout == "bapps":  # ids are the files' names, which have digits only
        assert after == before
    assert sorted(image.casefold() for image in after) == sorted(
        image.casefold() for image in before
    )


@pytest.mark.parametrize("kind", ["reference", "distorted"])
def test_one_missing_file_is_named(miniature: Miniature, tmp_path: Path, kind: str) -> None:
    name = getattr(miniature, kind)
    (tmp_path / miniature.folder / name).unlink()
    with pytest.raises(IqbenchError, match="missing") as caught:
        miniature.samples(tmp_path)
    assert Path(name).name.casefold() in caught.value.message.casefold()
    assert str(tmp_path / miniature.folder) in caught.value.message
    assert "archive" in caught.value.hint
    assert not isinstance(caught.value, MissingDataError)  # it is there, and wrong


def test_a_copy_of_an_image_is_refused(miniature: Miniature, tmp_path: Path) -> None:
    path = tmp_path / miniature.folder / miniature.distorted
    copy = path.with_stem(f"{path.stem} (copy)")
    samples = miniature.samples(tmp_path)
    assert miniature.data().ignored(tmp_path, samples) == []
    shutil.copy(path, copy)
    if miniature.layout in ("csiq", "cid22"):  # may have images that nobody judged
        assert miniature.samples(tmp_path) == samples
        (ignored,) = miniature.data().ignored(tmp_path, samples)
        assert tmp_path / miniature.folder / ignored == copy
        return
    with pytest.raises(IqbenchError, match="copy"):
        miniature.samples(tmp_path)


def test_files_that_differ_in_case_only_are_refused(miniature: Miniature, tmp_path: Path) -> None:
    path = tmp_path / miniature.folder / miniature.distorted
    twin = path.with_name(path.name.swapcase())
    if path.stem.isdigit() or twin.exists():
        twin = path.with_suffix(path.suffix.upper())
    if twin.exists():
        pytest.skip("this file system does not tell upper from lower case")
    twin.touch()
    with pytest.raises(IqbenchError, match=r"differ in case only|twice"):
        miniature.samples(tmp_path)


def test_without_a_root_it_says_what_to_set(miniature: Miniature) -> None:
    with pytest.raises(MissingDataError, match="data root is not set") as caught:
        layouts()[miniature.layout].model_validate({"layout": miniature.layout}).samples(None)
    assert "IQBENCH_DATA" in caught.value.hint


def test_users_are_told_where_the_data_belongs(miniature: Miniature, tmp_path: Path) -> None:
    spec = DatasetSpec(name="mini", root=tmp_path, data=miniature.data(), home="https://a.example")
    table = f"{miniature.folder}/{miniature.table}"
    place = f"{miniature.folder} and {table} lie in {tmp_path}"
    assert by_hand(spec) == f"Get it from https://a.example and put it so that {place}"
    assert (tmp_path / table).is_file()
    assert describe(spec)["get"] == by_hand(spec)


def test_a_missing_or_empty_folder_is_missing_data(miniature: Miniature, tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="does not exist"):
        miniature.samples(tmp_path / "elsewhere")
    (tmp_path / "empty" / miniature.folder).mkdir(parents=True)
    with pytest.raises(MissingDataError, match="is empty"):
        miniature.samples(tmp_path / "empty")


def test_one_folder_too_deep_is_pointed_out(miniature: Miniature, tmp_path: Path) -> None:
    folder = tmp_path / miniature.folder
    deep = folder / "unpacked"
    folder.rename(tmp_path / "away")
    deep.parent.mkdir(parents=True)
    (tmp_path / "away").rename(deep)
    with pytest.raises(IqbenchError, match=f"no {miniature.table}") as caught:
        miniature.samples(tmp_path)
    assert f"`folder: {miniature.folder}/unpacked`" in caught.value.hint
    samples = miniature.samples(tmp_path, folder=f"{miniature.folder}/unpacked")
    assert len(samples) == miniature.images


def test_a_root_that_is_the_dataset_itself_is_pointed_out(tmp_path: Path) -> None:
    made = tid2013(tmp_path)
    with pytest.raises(MissingDataError) as caught:
        made.samples(tmp_path / "tid2013")
    assert "the data root is the folder above it" in caught.value.hint
    with pytest.raises(MissingDataError) as caught:
        made.samples(tmp_path, folder="TID2013")
    assert "write `folder: tid2013`" in caught.value.hint


def test_the_block_says_how_many_there_should_be(miniature: Miniature, tmp_path: Path) -> None:
    def spec(images: int, outputs: int) -> DatasetSpec:
        data = miniature.data()
        return DatasetSpec(name="mini", root=tmp_path, data=data, images=images, outputs=outputs)

    opened = spec(miniature.images, miniature.outputs).open()
    assert opened.brings_outputs
    with pytest.raises(IqbenchError, match=f"{miniature.outputs} were found"):
        spec(miniature.images, miniature.outputs + 1).open()
    with pytest.raises(IqbenchError, match=f"{miniature.images} were found"):
        spec(miniature.images + 1, miniature.outputs).open()


def test_there_is_a_block_for_every_layout() -> None:
    specs = load_datasets(PACKAGED_FILE).values()
    blocks = {spec.data.layout: spec for spec in specs if spec.data.layout in BUILDERS}
    assert blocks.keys() == BUILDERS.keys()
    for spec in blocks.values():
        assert spec.images
        assert spec.outputs
        assert all((spec.task, spec.home, spec.licence, spec.citation))


_listeners: list[list[tuple[str, str]]] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("open", "os.scandir", "os.listdir"):
        for events in _listeners:
            events.append((event, str(arguments[0])))


sys.addaudithook(_watch)  # sees every file that is opened, by whatever call; it cannot be removed


@contextmanager
def watching() -> Iterator[list[tuple[str, str]]]:
    """Note the files that are opened and the folders that are listed."""
    events: list[tuple[str, str]] = []
    _listeners.append(events)
    try:
        yield events
    finally:
        _listeners.remove(events)


def test_many_files_are_paired_by_one_listing_without_opening_an_image(tmp_path: Path) -> None:
    made = pipal(tmp_path, references=50, variants=16)
    assert made.images + made.outputs == 5_650
    with watching() as events:
        samples = made.samples(tmp_path)
    assert sum(len(sample.outputs) for sample in samples) == made.outputs
    opened = [Path(file).name for event, file in events if event == "open"]
    # The table of opinions of each reference, and nothing else. Python notes an opening twice, of
    # the file and of its descriptor.
    assert sorted(opened) == [f"A{n:04}.txt" for n in range(1, 51) for _ in range(2)]
    listed = [folder for event, folder in events if event != "open"]
    assert len(listed) == len(set(listed)) == 8  # each folder once: the work grows with the files


def test_verify_notes_distorted_images_that_are_their_references(tmp_path: Path) -> None:
    made = kadid10k(tmp_path, paint)
    images = tmp_path / made.folder / "images"
    shutil.copy(images / "I01.png", images / "I01_25_02.png")
    spec = DatasetSpec(name="mini", root=tmp_path, data=made.data())
    result = verify(spec)
    assert result.problems == []
    assert "1 distorted images are byte for byte their references: I01_25_02" in result.notes


def test_verify_calls_reversed_opinions_wrong_and_not_incomplete(tmp_path: Path) -> None:
    made = tid2013(tmp_path)
    file = tmp_path / made.folder / made.table
    rows = [row.split(" ") for row in file.read_text().splitlines()]
    file.write_text("".join(f"{9 - float(mos):.5f} {name}\n" for mos, name in rows))
    result = verify(DatasetSpec(name="mini", root=tmp_path, data=made.data()))
    assert result.verdict == "wrong"
    assert "look reversed" in result.problems[0].problem
