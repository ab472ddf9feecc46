from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iqbench.datasets.dataset import reference_folder
from iqbench.datasets.files import (
    check_text,
    natural_key,
    numbering_gaps,
    spell_name,
    split_suffix,
    unusable_name,
)
from iqbench.datasets.layout import MissingDataError
from iqbench.datasets.layouts.folder import FolderLayout
from iqbench.errors import IqbenchError

MakeFiles = Callable[..., Path]


def ids(root: Path, **options: object) -> list[str]:
    layout = FolderLayout.model_validate({"layout": "folder", "references": ".", **options})
    return [sample.image for sample in layout.samples(root)]


def test_ids_are_paths_below_the_root_without_suffix_in_natural_order(
    make_files: MakeFiles,
) -> None:
    root = make_files("r", ["img_10.png", "img_2.PNG", "scene/b.1.jpg", "img_1.webp"])
    assert ids(root) == ["img_1", "img_2", "img_10", "scene/b.1"]


def test_a_reference_is_the_file_itself(make_files: MakeFiles) -> None:
    root = make_files("r", ["scene/a.png"])
    layout = FolderLayout(layout="folder", references="scene")
    assert layout.samples(root)[0].reference.name == str(root / "scene" / "a.png")


def test_hidden_files_and_folders_are_left_out(make_files: MakeFiles) -> None:
    names = ["a.png", ".b.png", ".cache/c.png", "._a.png", "__MACOSX/a.png", "@eaDir/a.png/s.jpg"]
    assert ids(make_files("r", names)) == ["a"]


def test_files_that_no_image_ends_like_are_named(make_files: MakeFiles) -> None:
    root = make_files("r", ["a.png", "readme.txt", "x/Thumbs.db", ".hidden.txt"])
    dataset = reference_folder(root)
    assert [sample.image for sample in dataset.samples] == ["a"]
    assert dataset.ignored == ["readme.txt", "x/Thumbs.db"]


def test_two_references_of_one_id_are_refused_by_name(make_files: MakeFiles) -> None:
    root = make_files("r", ["x/a.png", "x/a.jpg"])
    with pytest.raises(IqbenchError, match=r"x/a\.jpg and x/a\.png"):
        ids(root)


def test_folders_without_a_method_are_refused(make_files: MakeFiles) -> None:
    root = make_files("r", ["readme.txt"])
    with pytest.raises(IqbenchError, match="holds no image"):
        ids(root)
    with pytest.raises(IqbenchError, match=r"holds no \*\.png"):
        ids(root, files=["*.png"])


@pytest.mark.parametrize(
    ("globs", "expected"),
    [
        (["*.png"], ["a", "b_gt"]),
        (["**/*.png"], ["a", "b_gt", "x/c", "x/y/d_gt"]),
        (["**/*_gt.png"], ["b_gt", "x/y/d_gt"]),
        (["x/**"], ["x/c", "x/y/d_gt", "x/y/e"]),
        (["*/*.png"], ["x/c"]),
        (["x/**/*_gt.*", "a.*"], ["a", "x/y/d_gt"]),
    ],
)
def test_globs_choose_by_path(make_files: MakeFiles, globs: list[str], expected: list[str]) -> None:
    root = make_files("r", ["a.png", "b_gt.png", "x/c.png", "x/y/d_gt.png", "x/y/e.jpg"])
    assert ids(root, files=globs) == expected


@pytest.mark.parametrize(
    ("template", "files", "expected"),
    [
        ("norain-{id}", ["norain-1.png", "norain-10.png", "norain-2.png"], ["1", "2", "10"]),
        ("{id}_gt", ["x/a_gt.png", "x_gt_gt.png"], ["x/a", "x_gt"]),
        ("{scene}/sharp/{frame}", ["s1/sharp/7.png", "s2/sharp/7.png"], ["s1/7", "s2/7"]),
        ("a.{id}{{x}}", ["a.1{x}.png"], ["1"]),
    ],
)
def test_a_template_takes_the_id_out_of_the_path(
    make_files: MakeFiles, template: str, files: list[str], expected: list[str]
) -> None:
    assert ids(make_files("r", files), id=template) == expected


def test_a_reference_that_does_not_fit_the_template_is_named(make_files: MakeFiles) -> None:
    root = make_files("r", ["norain-1.png", "rain-1.png"])
    with pytest.raises(IqbenchError, match=r"rain-1\.png is not named .* 'norain-\{id\}'"):
        ids(root, id="norain-{id}")
    assert ids(root, id="norain-{id}", files=["norain-*"]) == ["1"]
    root = make_files("s", ["a/deep/sharp/1.png"])
    with pytest.raises(IqbenchError, match="is not named as references are"):
        ids(root, id="{scene}/sharp/{frame}")


@pytest.mark.parametrize("template", ["plain", "{}", "{id", "{id!r}", "{id:3}", "{a.b}", ""])
def test_a_template_without_a_name_in_braces_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="must hold a name in braces"):
        FolderLayout(layout="folder", references="r", id=template)


def test_a_list_chooses_the_references(make_files: MakeFiles) -> None:
    root = make_files("r", ["s/gt/1.png", "s/gt/2.png", "t/gt/1.png", "s/blur/1.png"])
    (root / "test.txt").write_text("./s/gt/1.png s/blur/1.png\n\nt/gt/1.png t/blur/1.png\n")
    assert ids(root, id="{scene}/gt/{n}", listed_in="test.txt") == ["s/1", "t/1"]
    with (root / "test.txt").open("a") as file:
        file.write("t/gt/9.png\n")
    with pytest.raises(IqbenchError, match=r"references are missing: t/gt/9\.png"):
        ids(root, listed_in="test.txt")
    with pytest.raises(MissingDataError, match="list of references"):
        ids(root, listed_in="other.txt")


def test_the_names_of_degraded_images_choose_the_references(make_files: MakeFiles) -> None:
    root = make_files(
        "r", ["GT/a.png", "GT/b.png", "GT/c.png", "test/near/a.png", "test/far/c.jpg"]
    )
    assert ids(root, references="GT", inputs="test") == ["a", "c"]
    (root / "test" / "far" / "d.png").touch()
    with pytest.raises(IqbenchError, match="references are missing: d"):
        ids(root, references="GT", inputs="test")
    with pytest.raises(MissingDataError, match="folder of inputs"):
        ids(root, references="GT", inputs="nowhere")


def test_loops_of_links_end_and_links_never_rename_real_files(
    make_files: MakeFiles, tmp_path: Path
) -> None:
    root = make_files("r", ["z/a.png"])
    (root / "z" / "up").symlink_to(root, target_is_directory=True)
    (root / "b").symlink_to(root / "z", target_is_directory=True)
    elsewhere = make_files("elsewhere", ["c.png"])
    (root / "linked").symlink_to(elsewhere, target_is_directory=True)
    (root / "itself").symlink_to(root / "itself")
    assert ids(root) == ["linked/c", "z/a"]


def test_a_file_whose_name_is_not_unicode_is_listed_with_its_problem(
    make_files: MakeFiles,
) -> None:
    root = make_files("r", ["a.png"])
    try:
        Path(os.fsdecode(os.fsencode(root) + b"/\xff.png")).touch()
    except OSError:
        pytest.skip("this file system has Unicode names only")
    sound, odd = FolderLayout(layout="folder", references=".").samples(root)[::-1]
    assert (sound.image, sound.problem) == ("a", "")
    assert odd.image == "\\udcff"
    assert "it holds a byte that is not UTF-8, \\udcff; rename it" in odd.problem


@pytest.mark.parametrize(
    "name",
    [
        *("9.15.02\u202fAM", "v\u00a013.05", "\u56fe\u30001", "soft\u00adhyphen", " a ", "a b"),
        *(
            "\U0001f468\u200d\U0001f469",
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "a\u202eb",
        ),
        *("\ue000", "\U000f0000", "\ufeffa", "\u0378", "\uffff", "\U0001f3f4\U000e0067\U000e007f"),
        *("e\u0301", "a\u034fb", "'", '"', "`", "<b>", "=1+1", "-rf", "%s", "{id}"),
    ],
)
def test_any_name_that_can_be_stored_and_printed_is_one(name: str) -> None:
    assert unusable_name(name) == ""
    assert spell_name(name) == name
    assert check_text("image", name) == name


@pytest.mark.parametrize(
    ("name", "why", "spelt"),
    [
        ("", "it is empty", ""),
        ("a\nb", "it holds a control character, \\n", "a\\nb"),
        ("a\tb", "it holds a control character, \\t", "a\\tb"),
        ("\x1b[31m", "it holds a control character, \\x1b", "\\x1b[31m"),
        ("\x7f", "it holds a control character, \\x7f", "\\x7f"),
        ("\u00a0\x85", "it holds a control character, \\x85", "\u00a0\\x85"),
        ("a\udcffb", "it holds a byte that is not UTF-8, \\udcff", "a\\udcffb"),
        ("a\u2028b", "it holds a line separator, \\u2028", "a\\u2028b"),
        ("a\u2029b", "it holds a paragraph separator, \\u2029", "a\\u2029b"),
    ],
)
def test_line_breaks_and_invalid_text_are_not_names(name: str, why: str, spelt: str) -> None:
    assert unusable_name(name) == why
    assert spell_name(name) == spelt
    with pytest.raises(IqbenchError, match="cannot be used as a name"):
        check_text("image", name)


@given(st.text(alphabet=st.characters(exclude_categories=()), min_size=1))
def test_a_name_can_be_used_if_it_is_one_line_of_utf8_without_control_characters(
    name: str,
) -> None:
    one_line = len(name.splitlines()) == 1 and not re.search(r"[\x00-\x1f\x7f-\x9f]", name)
    encodable = name == name.encode("utf-8", "ignore").decode()
    broken = name.splitlines(keepends=True)[-1][-1] in "\u2028\u2029"
    assert (unusable_name(name) == "") == (one_line and encodable and not broken)
    assert unusable_name(spell_name(name)) == ""


def test_a_missing_folder_or_root_says_what_to_set(tmp_path: Path) -> None:
    layout = FolderLayout(layout="folder", references="Set5/HR_x2")
    for root in (None, tmp_path):
        with pytest.raises(MissingDataError) as caught:
            layout.samples(root)
        assert "IQBENCH_DATA" in caught.value.hint
        assert "Set5/HR_x2" in caught.value.hint
        assert "root:" in caught.value.hint


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "C:\\x", "\\\\host\\x", "", "a\0b"])
def test_paths_stay_below_the_root(path: str) -> None:
    with pytest.raises(ValueError, match="below the data root"):
        FolderLayout(layout="folder", references=path)


def test_many_files_are_listed_quickly(make_files: MakeFiles) -> None:
    root = make_files("r", [f"{folder}/{number}.png" for folder in "ab" for number in range(5000)])
    start = time.perf_counter()
    listed = ids(root)
    # 100,000 in seconds means 10,000 in well under one; the margin is for a busy machine.
    assert time.perf_counter() - start < 2
    assert len(listed) == 10_000
    assert listed[:3] == ["a/0", "a/1", "a/2"]
    assert listed[-1] == "b/4999"


def test_natural_order_counts() -> None:
    names = ["img_10", "img_9", "img_09", "b2a10", "b2a9", "10", "9", "\u0665x"]
    assert sorted(names, key=natural_key) == [
        "9", "10", "b2a9", "b2a10", "img_09", "img_9", "img_10", "\u0665x",
    ]  # fmt: skip


@given(st.lists(st.text(max_size=12)))
def test_natural_order_does_not_hang_on_the_order_of_the_file_system(names: list[str]) -> None:
    backwards = names[::-1]
    assert sorted(names, key=natural_key) == sorted(backwards, key=natural_key)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a.png", ("a", ".png")),
        ("x.y/a", ("x.y/a", "")),
        ("x/.png", ("x/.png", "")),
        ("a.b.png", ("a.b", ".png")),
        ("a.", ("a", ".")),
    ],
)
def test_suffixes(name: str, parts: tuple[str, str]) -> None:
    assert split_suffix(name) == parts


@pytest.mark.parametrize(
    ("names", "gaps"),
    [
        (["kodim01", "kodim04", "kodim02"], ["kodim03"]),
        (["8", "11", "9"], ["10"]),
        (["x1a", "x3a", "x4a"], ["x2a"]),
        (["1", "2", "3"], []),
        (["a1", "b3"], []),
        (["1", "3", "c"], []),
        (["1", "100"], []),
        (["2018"], []),
    ],
)
def test_names_that_differ_in_a_number_tell_what_is_missing(
    names: list[str], gaps: list[str]
) -> None:
    assert numbering_gaps(names) == gaps


def test_a_bare_folder_is_a_dataset_named_as_it_is(make_files: MakeFiles) -> None:
    root = make_files("Kodak24", ["1.png"])
    assert reference_folder(root).name == "Kodak24"
    assert reference_folder(root / ".." / "Kodak24").name == "Kodak24"
    assert reference_folder(root, "mine").name == "mine"
    assert reference_folder(root).spec.protocol == "rgb"


@pytest.mark.parametrize("name", ["", "..", ".x", "a/b", "a\\b", "a\nb"])
def test_dataset_names_are_names_of_folders(make_files: MakeFiles, name: str) -> None:
    with pytest.raises(IqbenchError, match="name"):
        reference_folder(make_files("r", ["1.png"]), name)


def test_a_bare_folder_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(IqbenchError, match="does not exist"):
        reference_folder(tmp_path / "nowhere")
    (tmp_path / "file.png").touch()
    with pytest.raises(IqbenchError, match="is a file, not a folder"):
        reference_folder(tmp_path / "file.png")
