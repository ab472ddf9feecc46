"""Verification names every problem of a dataset's files."""

from __future__ import annotations

import hashlib
import os
import shutil
import textwrap
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from needs import SHARED, needs
from PIL import Image

from iqbench.api import Evaluation, run_evaluation
from iqbench.datasets import digests as digests_module
from iqbench.datasets.dataset import DatasetSpec
from iqbench.datasets.digests import FOLDER, read_checksums
from iqbench.datasets.fetching.verify import Verification, verify
from iqbench.datasets.load import PACKAGED_FILE, load_datasets
from iqbench.errors import IqbenchError
from iqbench.images.source import FileSource
from iqbench.images.write import write_png

DATA = SHARED / "data"
NAMES = ("HR/a.png", "HR/b.png", "HR/c.png", "LR/a.png", "LR/b.png", "LR/c.png")


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DatasetSpec:
    """Three references and their inputs, with a list of checksums."""
    for seed, name in enumerate(NAMES):
        pixels = np.random.default_rng(seed).integers(0, 256, (8, 9, 3), dtype=np.uint8)
        write_png(tmp_path / "data" / "mini" / name, pixels)
    lists = tmp_path / "checksums"
    lists.mkdir()
    rows = [f"{digest(tmp_path / 'data' / 'mini' / name)}  mini/{name}\n" for name in NAMES]
    (lists / "mini.txt").write_text("# origin\n" + "".join(rows))
    monkeypatch.setattr(digests_module, "FOLDER", lists)
    return make_spec(tmp_path, "checksums: mini")


def make_spec(folder: Path, *keys: str, data: str = "{layout: folder, references: mini/HR}"):
    text = f"root: data\ndatasets:\n  Mini:\n    images: 3\n    data: {data}\n"
    (folder / "datasets.yaml").write_text(text + textwrap.indent("\n".join(keys), "    "))
    return load_datasets(folder / "datasets.yaml")["Mini"]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def found(result: Verification) -> list[tuple[str, str]]:
    """Kind and file name of each problem."""
    return [(problem.kind, "/".join(Path(problem.file).parts[-2:])) for problem in result.problems]


def hr(spec: DatasetSpec, name: str = "") -> Path:
    return spec.root / "mini" / "HR" / name


def test_published_files_are_as_published(spec: DatasetSpec) -> None:
    result = verify(spec, decode=True)
    assert (result.verdict, result.problems, result.notes) == ("as published", [], [])
    assert (result.images, result.checked, result.listed, result.decoded) == (3, 6, 6, True)


def test_without_checksums_contents_are_not_known_and_that_is_said(tmp_path, spec) -> None:
    result = verify(make_spec(tmp_path))
    assert result.verdict == "complete, contents not known"
    assert result.problems == []
    assert "no checksums of Mini are known" in result.notes[0]
    assert "exchanged" in result.notes[0]


def test_a_missing_file_is_named(spec: DatasetSpec) -> None:
    hr(spec, "b.png").unlink()
    result = verify(spec)
    assert found(result) == [("wrong", "Mini"), ("missing", "HR/b.png")]
    assert result.verdict == "incomplete"
    assert spec.missing_files() == ["mini/HR/b.png"]
    with pytest.raises(IqbenchError, match=r"but 2 were found; missing: mini/HR/b\.png\."):
        spec.open()


def test_a_stray_image_in_place_of_a_missing_one_does_not_make_the_dataset_whole(spec) -> None:
    hr(spec, "b.png").rename(hr(spec, "stray.png"))
    assert ("missing", "HR/b.png") in found(verify(spec))
    with pytest.raises(
        IqbenchError, match=r"'Mini' lacks 1 of its files: mini/HR/b\.png\. .*verify"
    ):
        spec.open()


def test_inputs_that_no_score_needs_may_be_missing(spec: DatasetSpec) -> None:
    shutil.rmtree(spec.root / "mini" / "LR")
    result = verify(spec)
    assert (result.verdict, result.checked) == ("as published", 3)


def test_a_changed_file_is_named_with_its_digest(spec: DatasetSpec) -> None:
    write_png(hr(spec, "b.png"), np.zeros((8, 9, 3), np.uint8))
    result = verify(spec)
    assert found(result) == [("changed", "HR/b.png")]
    assert digest(hr(spec, "b.png")) in result.problems[0].problem
    assert result.verdict == "wrong"


def test_a_run_warns_of_references_that_are_not_the_published_files(
    spec: DatasetSpec, tmp_path: Path
) -> None:
    outputs = tmp_path / "outputs"
    shutil.copytree(hr(spec), outputs)
    first, second = hr(spec, "a.png"), hr(spec, "c.png")
    first.rename(tmp_path / "aside.png")
    second.rename(first)
    (tmp_path / "aside.png").rename(second)
    summary = run_evaluation(
        Evaluation(
            datasets=["Mini"],
            datasets_file=tmp_path / "datasets.yaml",
            methods=[f"mine={outputs}"],
            metrics=["psnr"],
            results=tmp_path / "results",
        )
    )
    assert summary.warnings[0] == (
        "2 references of 'Mini' are not the published files: a, c. "
        "See `iqbench datasets verify Mini`"
    )


def test_exchanged_folders_are_reported(spec: DatasetSpec) -> None:
    mini = spec.root / "mini"
    (mini / "HR").rename(mini / "x")
    (mini / "LR").rename(mini / "HR")
    (mini / "x").rename(mini / "LR")
    result = verify(spec)
    assert len(result.problems) == 6
    assert result.problems[0].problem.endswith("it holds what should be mini/LR/a.png")
    assert result.problems[3].problem.endswith("it holds what should be mini/HR/a.png")


@pytest.mark.parametrize("name", ["blur", "input", "LR", "rainy"])
def test_a_folder_of_references_that_is_called_like_inputs_is_noted(tmp_path, spec, name) -> None:
    (spec.root / "mini" / "HR").rename(spec.root / "mini" / f"{name}_")
    (spec.root / "mini" / f"{name}_").rename(spec.root / name)
    result = verify(make_spec(tmp_path, data=f"{{layout: folder, references: {name}}}"))
    assert result.problems == []
    assert f"called '{name}': are references and degraded images exchanged?" in result.notes[0]


def test_damage_is_found_by_the_structure_of_the_file_or_by_decoding(tmp_path, spec) -> None:
    spec = make_spec(tmp_path)
    hr(spec, "a.png").write_bytes(b"no image")
    hr(spec, "b.png").write_bytes(hr(spec, "b.png").read_bytes()[:-20])
    whole = bytearray(hr(spec, "c.png").read_bytes())
    place = whole.index(b"IDAT") + 4
    length = int.from_bytes(whole[place - 8 : place - 4], "big")
    whole[place : place + length] = bytes(length)  # right in structure, but no deflated data
    whole[place + length : place + length + 4] = crc32(whole[place - 4 : place + length]).to_bytes(
        4, "big"
    )
    hr(spec, "c.png").write_bytes(whole)
    assert found(verify(spec)) == [("damaged", "HR/a.png"), ("damaged", "HR/b.png")]
    decoded = verify(spec, decode=True)
    assert found(decoded)[2] == ("damaged", "HR/c.png")
    assert decoded.verdict == "wrong"


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".tif"])
def test_damage_inside_is_found_by_decoding_as_a_run_finds_it(tmp_path, spec, suffix) -> None:
    y, x = np.mgrid[:96, :128]
    pixels = np.stack([y, x, y + x], axis=-1).astype(np.uint8) ^ 3
    spec = make_spec(tmp_path)
    for number, name in enumerate("abc"):
        hr(spec, f"{name}.png").unlink()
        options = {"compression": "tiff_lzw"} if suffix == ".tif" else {"quality": 90}
        Image.fromarray(pixels + number).save(hr(spec, name + suffix), **options)
    assert verify(spec, decode=True).problems == []
    path = hr(spec, "b" + suffix)
    data = path.read_bytes()
    half, piece = len(data) // 2, len(data) // 5
    path.write_bytes(data[:half] + bytes(piece) + data[half + piece :])
    assert found(verify(spec)) == []
    (problem,) = verify(spec, decode=True).problems
    assert problem.kind == "damaged"
    with pytest.raises(IqbenchError) as caught:
        FileSource(path).read().decode()
    assert problem.problem == caught.value.message


def test_duplicate_content_is_reported(tmp_path, spec: DatasetSpec) -> None:
    shutil.copy(hr(spec, "a.png"), hr(spec, "c.png"))
    assert found(verify(spec)) == [("changed", "HR/c.png"), ("duplicated", "HR/c.png")]
    plain = verify(make_spec(tmp_path))
    assert found(plain) == [("duplicated", "HR/c.png")]
    assert "same content as" in plain.problems[0].problem
    assert "a.png" in plain.problems[0].problem


def test_an_extra_file_is_reported(spec: DatasetSpec) -> None:
    write_png(hr(spec, "d.png"), np.ones((8, 9, 3), np.uint8))
    (hr(spec) / "notes.txt").touch()
    result = verify(spec)
    assert found(result) == [("wrong", "Mini"), ("extra", "HR/d.png")]
    assert result.notes == ["no image of the dataset, left out: notes.txt"]


def test_a_dataset_that_is_not_there_is_missing_as_a_whole(spec: DatasetSpec) -> None:
    shutil.rmtree(spec.root)
    result = verify(spec)
    assert (result.verdict, result.absent, result.checked) == ("missing", True, 0)
    assert found(result)[0] == ("missing", "Mini")
    assert len(spec.missing_files()) == 3


def test_a_layout_that_refuses_is_a_problem_of_the_whole(spec: DatasetSpec) -> None:
    write_png(hr(spec, "a.jpg.png"), np.zeros((8, 9, 3), np.uint8))
    hr(spec, "a.jpg.png").rename(hr(spec, "a.jpg"))
    result = verify(spec)
    assert found(result) == [("wrong", "Mini")]
    assert "two references" in result.problems[0].problem
    assert result.checked == 6


def test_distorted_images_are_verified_too(tmp_path, spec: DatasetSpec) -> None:
    rows = "".join(f"HR/{name}.png,LR/{name}.png\n" for name in "abc")
    (spec.root / "mini" / "pairs.csv").write_text("reference,output\n" + rows)
    (spec.root / "mini" / "LR" / "b.png").write_bytes(b"no image")
    result = verify(make_spec(tmp_path, data="{layout: csv, file: mini/pairs.csv}"))
    assert (result.images, result.outputs, result.checked) == (3, 3, 6)
    assert found(result) == [("damaged", "LR/b.png")]


def test_the_same_patch_may_be_in_several_choices(tmp_path, spec: DatasetSpec) -> None:
    for name in "bc":
        shutil.copy(hr(spec, "a.png"), hr(spec, f"{name}.png"))
    rows = "".join(f"HR/{name}.png,LR/{name}.png,0.5,{{}}\n" for name in "abc")
    table = "reference,output,mos,mos_direction\n" + rows
    spec = make_spec(tmp_path, data="{layout: csv, file: mini/pairs.csv}")
    (spec.root / "mini" / "pairs.csv").write_text(table.format(*["choice"] * 3))
    assert found(verify(spec)) == []
    (spec.root / "mini" / "pairs.csv").write_text(table.format(*["higher"] * 3))
    assert found(verify(spec)) == [("duplicated", "HR/b.png"), ("duplicated", "HR/c.png")]


def test_progress_is_reported(spec: DatasetSpec) -> None:
    steps: list[object] = []

    class Told:
        def begin(self, what: str, total: int) -> None:
            steps.extend([what, total])

        def advance(self, done: int) -> None:
            steps.append(done)

    verify(spec, progress=Told())
    assert steps == ["Mini", 6, 1, 1, 1, 1, 1, 1]


def test_what_was_found_is_plain_data(spec: DatasetSpec) -> None:
    hr(spec, "b.png").unlink()
    row = verify(spec).row()
    assert list(row) == [
        *("dataset", "images", "outputs", "checked", "decoded", "listed", "absent"),
        *("verdict", "problems", "notes"),
    ]
    assert row["problems"][1] == {
        "kind": "missing",
        "file": "mini/HR/b.png",
        "problem": "the file is not there",
    }


# the lists that come with iqbench


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_every_list_belongs_to_a_dataset_and_names_its_references(path: Path) -> None:
    specs = [s for s in load_datasets(PACKAGED_FILE).values() if s.checksums == path.stem]
    assert specs
    listed = read_checksums(path.stem)
    for spec in specs:
        needed = [name for name in listed if name.startswith(f"{spec.data.places()[0]}/")]
        assert len(needed) == spec.images
        assert {download.address(name) is not None for name in needed for download in spec.fetch}


@needs(DATA)
def test_set5_and_set14_are_as_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IQBENCH_DATA", os.fspath(DATA))
    for name, spec in load_datasets(PACKAGED_FILE).items():
        if name.startswith(("Set5", "Set14")):
            result = verify(spec)
            assert (name, result.verdict, result.checked) == (name, "as published", result.listed)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("abc  a.png\n", "line 1: not a digest"),
        (f"{'0' * 64}  ../a.png\n", "line 1"),
        (f"{'0' * 64}  a.png\n{'1' * 64}  a.png\n", "line 2"),
    ],
)
def test_a_wrong_list_is_named(tmp_path, monkeypatch, text: str, sentence: str) -> None:
    monkeypatch.setattr(digests_module, "FOLDER", tmp_path)
    (tmp_path / "mini.txt").write_text(text)
    with pytest.raises(IqbenchError, match=rf"mini\.txt, {sentence}"):
        read_checksums("mini")


def test_an_unknown_list_is_refused() -> None:
    with pytest.raises(IqbenchError, match="unknown list of checksums 'Set5-x5'"):
        read_checksums("Set5-x5")
    assert read_checksums(None) == {}
