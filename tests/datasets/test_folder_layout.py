from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iqbench.datasets.dataset import reference_folder
from iqbench.datasets.files import natural_key, split_suffix
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
    assert ids(make_files("r", ["a.png", ".b.png", ".cache/c.png", "._a.png"])) == ["a"]


def test_files_that_no_image_ends_like_are_named(make_files: MakeFiles) -> None:
    root = make_files("r", ["a.png", "readme.txt", "x/Thumbs.db", ".hidden.txt"])
    dataset = reference_folder(root)
    assert [sample.image for sample in dataset.samples] == ["a"]
    assert dataset.ignored == ["readme.txt", "x/Thumbs.db"]


def test_two_references_of_one_id_are_refused_by_name(make_files: MakeFiles) -> None:
    root = make_files("r", ["x/a.png", "x/a.jpg"])
    with pytest.raises(IqbenchError, match=r"x/a\.jpg and x/a\.png"):
        ids(root)


def test_an_empty_folder_is_refused(make_files: MakeFiles) -> None:
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


def test_loops_of_links_end_and_links_never_rename_real_files(
    make_files: MakeFiles, tmp_path: Path
) -> None:
    root = make_files("r", ["z/a.png"])
    (root / "z" / "up").symlink_to(root, target_is_directory=True)
    (root / "b").symlink_to(root / "z", target_is_directory=True)
    elsewhere = make_files("elsewhere", ["c.png"])
    (root / "linked").symlink_to(elsewhere, target_is_directory=True)
    assert ids(root) == ["linked/c", "z/a"]


def test_a_name_that_is_not_unicode_is_refused(make_files: MakeFiles) -> None:
    root = make_files("r", ["a.png"])
    try:
        Path(os.fsdecode(os.fsencode(root) + b"/\xff.png")).touch()
    except OSError:
        pytest.skip("this file system has Unicode names only")
    with pytest.raises(IqbenchError, match="cannot be used as a name"):
        ids(root)


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
