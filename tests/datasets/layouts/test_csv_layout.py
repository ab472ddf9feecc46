"""A CSV of paths: pairs, ids and opinions; errors name the line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from iqbench.api import evaluate
from iqbench.datasets.dataset import pairs_file
from iqbench.datasets.layout import MissingDataError
from iqbench.datasets.layouts.csv_paths import CsvLayout
from iqbench.datasets.sample import Opinion, Sample
from iqbench.errors import IqbenchError
from iqbench.images.write import write_png
from iqbench.results.read import load_images

MakeFiles = Callable[..., Path]
FILES = ("r/a.png", "r/b.png", "o/a.png", "o/b.png", "p/a.png", "p/b.png")


@pytest.fixture
def read(make_files: MakeFiles) -> Callable[..., list[Sample]]:
    """Write a CSV beside empty image files, and list its samples."""

    def read(text: str, *, files: Iterable[str] = FILES, **options: object) -> list[Sample]:
        root = make_files("data", files)
        (root / "pairs.csv").write_text(text, encoding="utf-8")
        layout = CsvLayout.model_validate({"layout": "csv", "file": "pairs.csv", **options})
        return layout.samples(root)

    return read


def refusal(read: Callable[..., list[Sample]], text: str, **options: object) -> str:
    with pytest.raises(IqbenchError) as caught:
        read(text, **options)
    assert "pairs.csv" in caught.value.message
    return str(caught.value)


def test_references_are_in_the_order_of_the_rows_with_their_outputs(read) -> None:
    samples = read(
        "reference,output,method\nr/b.png,o/b.png,m\nr/a.png,o/a.png,m\nr/b.png,p/b.png,n\n"
    )
    assert [sample.image for sample in samples] == ["r/b", "r/a"]
    assert [(o.method, o.image) for o in samples[0].outputs] == [("m", "r/b"), ("n", "r/b")]
    assert samples[0].outputs[1].source.name.endswith("data/p/b.png")
    assert samples[0].reference.name.endswith("data/r/b.png")


def test_without_methods_outputs_are_distorted_images_with_ids_of_their_own(read) -> None:
    (sample,) = read("reference,output\nr/a.png,o/a.png\nr/a.png,./p//a.png\n")
    assert [(o.method, o.image) for o in sample.outputs] == [
        ("distorted", "o/a"),
        ("distorted", "p/a"),
    ]


def test_ids_can_be_given(read) -> None:
    text = "image,method,reference,output\nfirst,m,r/a.png,o/a.png\nsecond,m,r/a.png,p/a.png\n"
    (sample,) = read(text)
    assert [output.image for output in sample.outputs] == ["first", "second"]


def test_opinions_and_distortions_are_carried(read) -> None:
    (sample,) = read(
        "reference,output,mos,mos_std,mos_direction,distortion,note\n"
        "r/a.png,o/a.png,3.5,0.25,lower,blur,x\n"
        "r/a.png,p/a.png,,,,,\n"
        "r/a.png,o/b.png,1,,lower,,\n"
    )
    assert [(output.opinion, output.distortion) for output in sample.outputs] == [
        (Opinion(3.5, 0.25, "lower"), "blur"),
        (None, None),
        (Opinion(1.0, None, "lower"), None),
    ]


def test_opinions_reach_the_table_of_images(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 200, (16, 16, 3), dtype=np.uint8)
    for name, change in (("a", 0), ("a_1", 51), ("a_2", 25)):
        write_png(tmp_path / f"{name}.png", pixels + np.uint8(change))
    (tmp_path / "rated.csv").write_text(
        "reference,output,mos,mos_std,mos_direction,distortion\n"
        "a.png,a_1.png,70,5,lower,brightness\na.png,a_2.png,30,,lower,brightness\n"
    )
    results = tmp_path / "results"
    scores = evaluate(pairs=tmp_path / "rated.csv", metrics=["psnr"], results=results, device="cpu")
    assert scores["image"].tolist() == ["a_1", "a_2"]
    assert scores["value"].tolist() == pytest.approx(
        [20 * np.log10(5), 20 * np.log10(255 / 25)], abs=1e-6
    )
    images = load_images(results).sort_values("image")
    assert images["mos"].tolist() == [70, 30]
    assert images["mos_std"].isna().tolist() == [False, True]
    assert set(images["mos_direction"]) == {"lower"}
    assert set(images["distortion"]) == {"brightness"}


def test_a_byte_order_mark_and_empty_lines_are_no_rows(read) -> None:
    assert len(read("\ufeffreference,output\n\nr/a.png,o/a.png\n\n")) == 1


@pytest.mark.parametrize("separator", [",", ";", "\t", ", ", " ; ", "\t "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_table_as_any_program_writes_it(read, separator: str, end: str, mark: str) -> None:
    rows = [
        ("reference", "output", "method", "mos", "mos_direction"),
        ("r/a.png", "o/a.png", "m", "3.5", "higher"),
        ('"r/b.png"', '"o/b.png"', '"m"', '"2"', "higher"),
        ("", "", "", "", ""),
    ]
    between = (separator, separator, separator.lstrip(" "), separator)
    lines = (sign.join(row) + end for sign, row in zip(between, rows, strict=True))
    samples = read(mark + "".join(lines))
    assert [(sample.image, sample.outputs[0].method) for sample in samples] == [
        ("r/a", "m"),
        ("r/b", "m"),
    ]
    assert [sample.outputs[0].opinion.mos for sample in samples] == [3.5, 2.0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_that_say_what_they_are_are_read(tmp_path, make_files, encoding: str) -> None:
    root = make_files("data", ["r/\u00e9.png", "o/\u00e9.png"])
    text = "reference\toutput\r\nr/\u00e9.png\to/\u00e9.png\r\n"
    (root / "pairs.csv").write_bytes(text.encode(encoding))
    (sample,) = CsvLayout(layout="csv", file="pairs.csv").samples(root)
    assert sample.image == "r/\u00e9"


def test_a_line_that_names_the_separator_is_no_row_and_counts_as_a_line(read) -> None:
    text = "sep=;\nreference;output\nr/a.png;o/a.png\nr/b.png;\n"
    assert "line 4: output is empty" in refusal(read, text)
    assert len(read("sep=;\nreference;output\nr/a.png;o/a.png\n")) == 1


def test_names_in_quotes_may_hold_separators_and_blanks(read) -> None:
    files = ["r/a, b.png", "r/c;d.png", " x.png", "y.png "]
    text = 'reference,output\n"r/a, b.png", "r/c;d.png"\n" x.png","y.png "\n'
    first, second = read(text, files=files)
    assert (first.image, first.outputs[0].image) == ("r/a, b", "r/c;d")
    assert first.outputs[0].source.name.endswith("data/r/c;d.png")
    assert second.reference.name.endswith("data/ x.png")
    assert second.outputs[0].source.name.endswith("data/y.png ")


def test_absolute_paths_below_the_folder_are_as_relative_ones(
    read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    (sample,) = read(f"reference,output,method\n{folder}/r/a.png,{folder}/o/a.png,m\n")
    assert (sample.image, sample.outputs[0].image) == ("r/a", "r/a")
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    layout = CsvLayout(layout="csv", file="pairs.csv")
    for named in (tmp_path / "link", Path("link"), Path("data")):
        assert [sample.image for sample in layout.samples(named)] == ["r/a"]


def test_an_absolute_path_elsewhere_is_refused_even_through_the_folder(
    read, tmp_path: Path
) -> None:
    for path in (f"{tmp_path}/data/../x.png", f"{tmp_path}/database/x.png"):
        error = refusal(read, f"reference,output\n{path},o/a.png\n")
        assert "leads out of the folder of the CSV" in error


def test_backslashes_and_accents_in_either_form_are_found(read) -> None:
    files = ["r/\u00fc.png", "o/u\u0308.png", "o/a\\b.png"]
    (sample,) = read("reference,output\nr\\u\u0308.png,o\\\u00fc.png\n", files=files)
    assert sample.reference.name.endswith("data/r/\u00fc.png")
    assert sample.outputs[0].source.name.endswith("data/o/u\u0308.png")
    (sample,) = read("reference,output\nr/\u00fc.png,o/a\\b.png\n", files=files)
    assert sample.outputs[0].source.name.endswith("data/o/a\\b.png")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "column 'reference' is missing; there are none"),
        ("reference,distorted\n", "column 'output' is missing; there are reference, distorted"),
        ("reference,output\n", "has no rows"),
        ("reference,Output\n", "the column 'Output' must be spelt 'output'"),
        ("reference,output,mos-std\n", "the column 'mos-std' must be spelt 'mos_std'"),
        ("reference,output,output\n", "there are two columns 'output'"),
        ("reference,output,mos\n", "column 'mos_direction' is missing"),
        ("reference,output\nr/a.png,\n", "line 2: output is empty"),
        ("reference,output\nr/a.png\n", "line 2: 1 cells where the header has 2"),
        ("reference,output\nr/a.png,o/a.png,x\n", "line 2: 3 cells where the header has 2"),
        (
            "reference;output\nr/a.png;o/a;b.png\n",
            "line 2: 3 cells where the header has 2. Put cells that hold a semicolon in quotes",
        ),
        ("reference|output\n", "there are reference|output. The first line names the columns"),
        ("reference,output\nr/a.png,r/./a.png\n", "line 2: reference and output are one file"),
        ("reference,output,method\nr/a.png,o/a.png,\n", "line 2: method '' cannot be used"),
        ("reference,output,image\nr/a.png,o/a.png,\n", "line 2: image '' cannot be used"),
        ('reference,output\nr/a.png,"o/a.png\n', "line 2: this is no CSV"),
        (
            "reference,output,image\nr/a.png,o/a.png,x\n\nr/b.png,o/b.png,x\n",
            "line 4: image 'x' of method 'distorted' is already in line 2",
        ),
        (
            "reference,output,method\nr/a.png,o/a.png,m\nr/a.png,p/a.png,m\n",
            "line 3: image 'r/a' of method 'm' is already in line 2. Give each an id of its own",
        ),
        (
            "reference,output\nr/a.png,o/a.png\nr/b.png,o/a.png\n",
            "line 3: output o/a.png is already in line 2. Are the columns reference and output "
            "exchanged?",
        ),
        (
            "reference,output,mos,mos_direction\nr/a.png,o/a.png,3,up\n",
            "line 2: unknown mos_direction 'up'",
        ),
        ("reference,output,mos,mos_direction\nr/a.png,o/a.png,3,\n", "unknown mos_direction ''"),
        (
            "reference,output,mos,mos_direction\n"
            "r/a.png,o/a.png,3,higher\nr/b.png,o/b.png,2,lower\n",
            "line 3: mos_direction is 'lower', but 'higher' in line 2",
        ),
        (
            "reference,output,mos,mos_direction\nr/a.png,o/a.png,inf,higher\n",
            "line 2: mos is 'inf', not a finite number",
        ),
        (
            "reference;output;mos;mos_direction\nr/a.png;o/a.png;3,5;higher\n",
            "line 2: mos is '3,5', not a finite number. Write a decimal point",
        ),
        (
            "reference,output,mos,mos_direction\nr/a.png,o/a.png,1_0,higher\n",
            "line 2: mos is '1_0', not a finite number",
        ),
        (
            "reference,output,mos,mos_direction,mos_std\nr/a.png,o/a.png,3,higher,-1\n",
            "line 2: mos_std is -1.0, below 0",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(read, text: str, sentence: str) -> None:
    assert sentence in refusal(read, text)


@pytest.mark.parametrize(
    "path", ["../r/a.png", "/r/a.png", "r/../../a.png", "C:\\a.png", "r\\..\\..\\a.png"]
)
def test_paths_stay_below_the_folder_of_the_csv(read, path: str) -> None:
    error = refusal(read, f"reference,output\n{path},o/a.png\n")
    assert "line 2: reference" in error
    assert "leads out of the folder of the CSV" in error
    assert "outside: true" in error


def test_a_block_may_allow_paths_elsewhere(read, make_files: MakeFiles) -> None:
    elsewhere = make_files("elsewhere", ["a.png", "b.png"])
    text = f"reference,output\n../elsewhere/a.png,{elsewhere}/b.png\n"
    (sample,) = read(text, outside=True)
    assert Path(sample.reference.name).resolve() == elsewhere / "a.png"
    assert Path(sample.outputs[0].source.name) == elsewhere / "b.png"


@pytest.mark.parametrize(
    "name", ["9.15\u202fAM", "v\u00a01", "\u56fe\u3000", "a\u200db", "a\u00adb"]
)
def test_ids_may_hold_spaces_of_any_kind_and_invisible_signs(read, name: str) -> None:
    text = f"reference,output,method,image\nr/a.png,o/{name}.png,{name},{name}\n"
    (sample,) = read(text, files=[*FILES, f"o/{name}.png"])
    assert [(output.method, output.image) for output in sample.outputs] == [(name, name)]
    (sample,) = read(f"reference,output\nr/a.png,o/{name}.png\n", files=[*FILES, f"o/{name}.png"])
    assert [output.image for output in sample.outputs] == [f"o/{name}"]


def test_a_path_that_cannot_be_an_id_needs_one(read) -> None:
    files = [*FILES, "o/a\x1b.png"]
    error = refusal(read, "reference,output\nr/a.png,o/a\x1b.png\n", files=files)
    assert r"line 2: the path of output, 'o/a\x1b.png', cannot be used as an id" in error
    assert "give an id in a column 'image'" in error
    (sample,) = read("reference,output,image\nr/a.png,o/a\x1b.png,first\n", files=files)
    assert [output.image for output in sample.outputs] == ["first"]


def test_missing_files_are_named_with_their_lines(read) -> None:
    rows = "".join(f"r/a.png,o/{name}.png\n" for name in ("a", "x", "y", "z", "w"))
    error = refusal(read, "reference,output\n" + rows)
    assert "do not exist: o/x.png (line 3), o/y.png (line 4), o/z.png (line 5) and 1 more" in error


def test_two_references_of_one_id_are_refused(read) -> None:
    text = "reference,output\nr/a.png,o/a.png\nr/a.jpg,o/b.png\n"
    error = refusal(read, text, files=[*FILES, "r/a.jpg"])
    assert "two references have the id 'r/a': r/a.png in line 2, r/a.jpg in line 3" in error


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    layout = CsvLayout(layout="csv", file="pairs.csv")
    with pytest.raises(MissingDataError, match="data root is not set"):
        layout.samples(None)
    with pytest.raises(MissingDataError, match="does not exist"):
        layout.samples(tmp_path)
    (tmp_path / "pairs.csv").write_bytes(b"reference,output\n\xff\xfe,a\n")
    with pytest.raises(IqbenchError, match="is not UTF-8 text"):
        layout.samples(tmp_path)


def test_a_file_of_pairs_is_a_dataset_named_as_it_is(make_files: MakeFiles) -> None:
    root = make_files("data", FILES)
    (root / "mine.csv").write_text("reference,output\nr/a.png,o/a.png\n")
    dataset = pairs_file(root / "mine.csv")
    assert (dataset.name, dataset.brings_outputs) == ("mine", True)
    assert pairs_file(root / "mine.csv", "other").name == "other"
    with pytest.raises(IqbenchError, match=r"nowhere\.csv does not exist"):
        pairs_file(root / "nowhere.csv")
    with pytest.raises(IqbenchError, match="is a folder, not a file"):
        pairs_file(root)
