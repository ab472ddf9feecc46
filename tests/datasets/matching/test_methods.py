from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from iqbench.datasets.matching.methods import Method, resolve_methods
from iqbench.errors import IqbenchError

MakeFiles = Callable[..., Path]


def test_a_method_is_named_as_its_folder_unless_it_is_given_a_name(
    make_files: MakeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_files("outputs/swinir", ["a.png"])
    assert resolve_methods([str(folder)]) == [Method("swinir", folder)]
    assert resolve_methods([f"mine={folder}"]) == [Method("mine", folder)]
    assert resolve_methods([f"{folder}/"]) == [Method("swinir", folder)]
    monkeypatch.chdir(folder)
    assert resolve_methods(["."])[0].name == "swinir"


def test_a_folder_whose_name_has_an_equals_sign_is_taken_as_it_is(
    make_files: MakeFiles, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_files("lr=0.1", ["a.png"])
    monkeypatch.chdir(tmp_path)
    assert resolve_methods(["lr=0.1"]) == [Method("lr=0.1", Path("lr=0.1"))]
    assert resolve_methods(["x=lr=0.1"]) == [Method("x", Path("lr=0.1"))]


def test_each_sub_folder_is_a_method_hidden_ones_and_files_are_not(
    make_files: MakeFiles,
) -> None:
    names = ["m10/a.png", "m9/a.png", ".git/a.png", "readme.txt", "__MACOSX/m9/._a.png"]
    folder = make_files("o", [*names, "@eaDir/a.png/thumb.jpg", "Thumbs.db", "desktop.ini"])
    assert [method.name for method in resolve_methods([], folder)] == ["m9", "m10"]


def test_two_methods_of_one_name_are_refused_with_both_folders(make_files: MakeFiles) -> None:
    first, second = make_files("a/m", ["1.png"]), make_files("b/m", ["1.png"])
    with pytest.raises(IqbenchError) as caught:
        resolve_methods([str(first)], second.parent)
    assert str(first) in caught.value.message
    assert str(second) in caught.value.message
    assert "NAME=DIR" in caught.value.hint


def test_a_missing_folder_is_named_with_the_nearest_sibling(make_files: MakeFiles) -> None:
    folder = make_files("outputs/swinir", ["a.png"])
    with pytest.raises(IqbenchError, match=r"swinr does not exist. Did you mean .*swinir\?"):
        resolve_methods([str(folder.parent / "swinr")])
    with pytest.raises(IqbenchError, match="does not exist"):
        resolve_methods([str(folder.parent / "no" / "where")])
    make_files("outputs/x", ["a.png"])
    with pytest.raises(IqbenchError, match=r"X does not exist. Did you mean .*/x\?"):
        resolve_methods([str(folder.parent / "X")])
    with pytest.raises(IqbenchError, match=r"folder of methods .* does not exist"):
        resolve_methods([], folder.parent / "nowhere")


def test_folders_without_a_method_are_refused(make_files: MakeFiles) -> None:
    with pytest.raises(IqbenchError, match="no method to score"):
        resolve_methods([])
    with pytest.raises(IqbenchError, match=r"method folder .*m is empty"):
        resolve_methods([str(make_files("m", [".hidden"]))])
    with pytest.raises(IqbenchError, match="has no sub-folders"):
        resolve_methods([], make_files("flat", ["a.png"]))
    with pytest.raises(IqbenchError, match="is a file, not a folder"):
        resolve_methods([str(make_files("f", ["a.png"]) / "a.png")])


@pytest.mark.parametrize("text", ["", "name="])
def test_a_method_without_a_folder_is_refused(text: str) -> None:
    with pytest.raises(IqbenchError, match="does not name a folder"):
        resolve_methods([text])


def test_a_name_that_cannot_be_printed_is_refused(make_files: MakeFiles) -> None:
    with pytest.raises(IqbenchError, match="method 'a\\\\nb' cannot be used"):
        resolve_methods([f"a\nb={make_files('m', ['a.png'])}"])


def test_a_sub_folder_whose_name_cannot_be_used_stops_no_other_method(
    make_files: MakeFiles,
) -> None:
    folder = make_files("o", ["b/1.png", "a\tx/1.png", "c\u202fAM/1.png"])
    odd, plain, narrow = resolve_methods([], folder)
    assert (plain, narrow) == (
        Method("b", folder / "b"),
        Method("c\u202fAM", folder / "c\u202fAM"),
    )
    assert odd.name == "a\\tx"
    assert "it holds a control character, \\t; rename it, or give --method NAME=DIR" in odd.problem


@pytest.mark.parametrize(
    ("place", "folder", "template"),
    [
        ("outputs/nlm/{id}_denoised.png", "outputs/nlm", "{id}_denoised.png"),
        ("outputs/nlm/{id}", "outputs/nlm", "{id}"),
        ("outputs/{id}/nlm.png", "outputs", "{id}/nlm.png"),
        ("outputs//nlm/./sub-{id}/x", "outputs/nlm", "sub-{id}/x"),
        ("out{{puts}}/{id}{{x}}.png", "out{puts}", "{id}{{x}}.png"),
    ],
)
def test_a_template_may_follow_the_folder(
    make_files: MakeFiles, monkeypatch: pytest.MonkeyPatch, place: str, folder: str, template: str
) -> None:
    root = make_files("root", ["outputs/nlm/1.png", "out{puts}/1.png"])
    monkeypatch.chdir(root)
    (named,) = resolve_methods([f"mine={place}"])
    assert named == Method("mine", Path(folder), output_name=template)
    (unnamed,) = resolve_methods([place])
    assert unnamed == Method(Path(folder).name, Path(folder), output_name=template)


def test_a_folder_with_braces_is_taken_as_it_is(
    make_files: MakeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make_files("root", ["a{id}/1.png"]))
    assert resolve_methods(["a{id}"]) == [Method("a{id}", Path("a{id}"))]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{id}_{x}", "must hold {id} once"),
        ("{id", "must hold {id} once"),
        ("{id}/../x", "leads out of the method's folder"),
    ],
)
def test_a_wrong_template_is_refused_with_its_method(
    make_files: MakeFiles, monkeypatch: pytest.MonkeyPatch, template: str, message: str
) -> None:
    monkeypatch.chdir(make_files("root", ["nlm/1.png"]))
    with pytest.raises(IqbenchError) as caught:
        resolve_methods([f"mine=nlm/{template}"])
    assert f"method 'mine=nlm/{template}'" in caught.value.message
    assert message in caught.value.message


def test_a_method_of_a_folder_of_methods_may_have_a_template(make_files: MakeFiles) -> None:
    folder = make_files("o", ["a/1.png", "b/1_x4.png"])
    one, other = resolve_methods([f"b={folder}/b/{{id}}_x4"], folder)
    assert one == Method("b", folder / "b", output_name="{id}_x4")
    assert other == Method("a", folder / "a")
