from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Literal

import pytest
from needs import SHARED, needs

from iqbench import plugins
from iqbench.datasets import layout as layout_module
from iqbench.datasets.layout import Layout, MissingDataError, layouts
from iqbench.datasets.load import PACKAGED_FILE, find_datasets_file, load_datasets, select
from iqbench.datasets.sample import Sample
from iqbench.errors import IqbenchError, IqbenchWarning
from iqbench.protocols.presets import resolve_protocol
from iqbench.specs import parse_spec

REPOSITORY = Path(__file__).parents[2]
DATA = SHARED / "data"


def write(folder: Path, text: str) -> Path:
    path = folder / "datasets.yaml"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def refusal(folder: Path, text: str) -> IqbenchError:
    path = write(folder, text)
    with pytest.raises(IqbenchError) as caught:
        load_datasets(path)
    assert str(path) in caught.value.message
    return caught.value


def block(extra: str = "", data: str = "{layout: folder, references: HR}") -> str:
    return f"datasets:\n  Mine:\n    data: {data}\n    {extra}\n"


# the packaged file


def test_the_packaged_file_has_the_demo_and_set5_and_set14() -> None:
    specs = load_datasets(PACKAGED_FILE)
    assert {"demo-denoise", "demo-sr-x4", "demo-jpeg", "demo-deblur"} < set(specs)
    for name, images in (("Set5", 5), ("Set14", 14)):
        for scale in (2, 3, 4):
            spec = specs[f"{name}-x{scale}"]
            assert (spec.images, spec.scale) == (images, scale)
            assert spec.protocol == f"sr-y:scale={scale}"
            assert spec.licence
            assert spec.citation
            assert spec.home


def test_the_file_at_the_top_level_is_the_packaged_one() -> None:
    top = REPOSITORY / "datasets.yaml"
    if not top.exists():
        pytest.skip("not run from a checkout")
    assert top.read_text(encoding="utf-8") == PACKAGED_FILE.read_text(encoding="utf-8")


def test_every_protocol_of_the_packaged_file_is_known_and_has_the_datasets_scale() -> None:
    for spec in load_datasets(PACKAGED_FILE).values():
        assert resolve_protocol(spec.protocol)
        _, options = parse_spec(spec.protocol)
        restored = spec.scale is not None
        assert options == ({"scale": str(spec.scale)} if restored else {})
        assert restored == (spec.task == "super-resolution")


def test_every_dataset_of_the_packaged_file_says_where_it_comes_from() -> None:
    for spec in load_datasets(PACKAGED_FILE).values():
        assert all((spec.task, spec.images, spec.home, spec.licence, spec.citation)), spec.name


@pytest.mark.parametrize("name", ["demo-denoise", "demo-sr-x4", "demo-jpeg", "demo-deblur"])
def test_the_demo_datasets_are_always_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IQBENCH_DATA", "nowhere")
    assert len(load_datasets(PACKAGED_FILE)[name].open().samples) == 8


@needs(DATA)
def test_set5_and_set14_open_below_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IQBENCH_DATA", str(DATA))
    specs = load_datasets(PACKAGED_FILE)
    dataset = specs["Set5-x4"].open()
    assert [sample.image for sample in dataset.samples] == [f"img_{n:03}" for n in range(1, 6)]
    assert len(specs["Set14-x3"].open().samples) == 14


# where the file and the data are looked for


def test_the_file_is_the_one_given_then_the_local_one_then_the_packaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_datasets_file() == PACKAGED_FILE
    write(tmp_path, block())
    assert list(load_datasets()) == ["Mine"]
    (tmp_path / "other").mkdir()
    other = write(tmp_path / "other", block().replace("Mine", "Other"))
    assert list(load_datasets(other)) == ["Other"]
    with pytest.raises(IqbenchError, match=r"missing\.yaml does not exist"):
        load_datasets(tmp_path / "missing.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "train: {path: a}\nval: {path: b}\n",  # another program's keys
        "datasets: [a, b]\n",
        "- a\n- b\n",
        "datasets:\n  coco: {url: https://example.org}\n",
        "name: !!python/tuple [a]\n",
        "a: {\n",
        "",
    ],
)
def test_a_file_of_another_program_in_the_working_folder_is_named_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, text)
    with pytest.raises(IqbenchError) as caught:
        load_datasets()
    assert f"{path} was read because it lies in the working folder" in caught.value.hint
    assert f"--datasets-file {PACKAGED_FILE}" in caught.value.hint
    with pytest.raises(IqbenchError) as caught:
        load_datasets(path)  # one that was asked for
    assert "working folder" not in str(caught.value)


def test_a_relative_root_is_relative_to_the_file_and_the_variable_wins(
    tmp_path: Path, make_files: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_files("data/HR", ["a.png"])
    make_files("elsewhere/HR", ["b.png", "c.png"])
    path = write(tmp_path, "root: data\n" + block())
    assert [sample.image for sample in load_datasets(path)["Mine"].open().samples] == ["a"]
    monkeypatch.setenv("IQBENCH_DATA", str(tmp_path / "elsewhere"))
    assert [sample.image for sample in load_datasets(path)["Mine"].open().samples] == ["b", "c"]


def test_data_that_is_not_there_names_the_dataset_and_what_to_set(tmp_path: Path) -> None:
    spec = load_datasets(write(tmp_path, block()))["Mine"]
    with pytest.raises(MissingDataError, match=r"dataset 'Mine'.*IQBENCH_DATA.*root:"):
        spec.open()


def test_another_number_of_images_than_expected_is_an_error(
    tmp_path: Path, make_files: Callable[..., Path]
) -> None:
    make_files("HR", ["a.png", "b.png"])
    spec = load_datasets(write(tmp_path, "root: .\n" + block("images: 3")))["Mine"]
    with pytest.raises(IqbenchError, match=r"'Mine' has 3 reference images, but 2 were found"):
        spec.open()


def test_datasets_are_chosen_by_name_each_once() -> None:
    specs = load_datasets(PACKAGED_FILE)
    chosen = select(specs, ["Set5-x4", "Set5-x2", "Set5-x4"])
    assert [spec.name for spec in chosen] == ["Set5-x4", "Set5-x2"]
    with pytest.raises(IqbenchError, match=r"unknown dataset 'Set5-x5'. Did you mean 'Set5-x"):
        select(specs, ["Set5-x5"])


# refusals


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        ("protcol: rgb", "dataset 'Mine': unknown key 'protcol'. Did you mean 'protocol'?"),
        ("images: many", "dataset 'Mine': key 'images': should be a valid integer"),
        ("images: yes", "key 'images'"),
        ("images: 0", "key 'images'"),
        ("licence: 2024-01-01", "key 'licence': should be a valid string"),
        ("output_name: '{name}_x4'", "key 'output_name': output name '{name}_x4' must hold {id}"),
        ("metrics: [1]", "key 'metrics.0'"),
        ("metrics: []", "key 'metrics'"),
        ("7: x", "unknown key '7'"),
    ],
)
def test_a_wrong_key_names_the_file_the_block_and_the_key(
    tmp_path: Path, extra: str, sentence: str
) -> None:
    assert sentence in str(refusal(tmp_path, block(extra)))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("{layout: foldr, references: HR}", "unknown layout 'foldr'. Did you mean 'folder'?"),
        ("{references: HR}", "'data': key 'layout' is missing. Known: "),
        ("{layout: folder}", "'data': key 'references' is missing"),
        ("{layout: folder, reference: HR}", "unknown key 'reference'. Did you mean 'references'?"),
        ("{layout: folder, references: ../HR}", "'../HR' must be a path below the data root"),
        ("{layout: folder, references: /HR}", "'/HR' must be a path below the data root"),
        ("{layout: [folder]}", "unknown layout"),
        ("folder", "'data' must be keys with values, not text"),
        ("", "'data' must be keys with values, not empty"),
    ],
)
def test_a_wrong_layout_is_named(tmp_path: Path, data: str, sentence: str) -> None:
    error = str(refusal(tmp_path, block(data=data)))
    assert sentence in error
    assert "dataset 'Mine'" in error


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "must be keys with values, not empty"),
        ("- a\n", "not a list"),
        ("datasets: 3\n", "'datasets' must be keys with values, not 3"),
        ("datasets: {Mine: null}\n", "dataset 'Mine' must be keys with values, not empty"),
        ("datasets: {Mine: {}}\n", "dataset 'Mine': key 'data' is missing"),
        ("datasets: {2012: {}}\n", "dataset 2012: the name is not text. Put it in quotes: '2012'"),
        ("datasets: {a/b: {}}\n", "dataset name 'a/b' is not allowed"),
        ("dataset: {}\n", "unknown key 'dataset'. Did you mean 'datasets'?"),
        ("Set5: {data: {}}\n", "The blocks of datasets stand below the key 'datasets'"),
        ("root: [1]\ndatasets: {}\n", "'root' must be the path of a folder"),
        ("a: 1\nb: {c: 1,\n  c: 2}\n", "line 3: key 'c' is there a second time (first in line 2)"),
        ("a: {b: 1, b: 2}\n", "line 1: key 'b' is there a second time"),
        ("a: [1\nb: 2\n", "line 2: this is not valid YAML"),
        ("a: !!python/object/apply:os.system [ls]\n", "line 1: this is not valid YAML"),
        ("a: 2024-13-45\n", "this is not valid YAML: month must be in 1..12"),
        ("a: \x01\n", "this is not valid YAML"),
        ("a: " + "[" * 5000, "nested too deeply"),
        ("&a [*a]", "line 1: this value holds itself"),
        ("a: &a {b: [1, {c: *a}]}", "line 1: this value holds itself"),
        ("? [1, 2]\n: 3", "this is not valid YAML: found unhashable key"),
    ],
)
def test_a_wrong_file_is_named_with_the_line_where_there_is_one(
    tmp_path: Path, text: str, sentence: str
) -> None:
    assert sentence in str(refusal(tmp_path, text))


LEVELS = [
    "[{0}, {0}]",
    "{{a: {0}, b: {0}}}",
    "{{<<: [{0}, {0}], c: 1}}",
    "{{? {0} : 1, ? [{0}] : 2}}",
]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("key", ["root", "datasets"])
def test_aliases_of_billions_of_values_are_refused_at_once(
    tmp_path: Path, key: str, level: str
) -> None:
    levels = ["&b0 {x: y}", *(f"&b{n} {level.format(f'*b{n - 1}')}" for n in range(1, 40))]
    path = write(tmp_path, f"{key}: [\n{', '.join(levels)}]")
    with pytest.raises(IqbenchError, match=r"line 2: this stands for more than 1,000,000 values"):
        load_datasets(path)


def test_aliases_within_reason_are_read(tmp_path: Path) -> None:
    text = """
datasets:
  One: &one {task: denoising, data: &data {layout: folder, references: hr}}
  Two: {task: denoising, data: *data}
  Three: {<<: *one, task: deblurring}
"""
    specs = load_datasets(write(tmp_path, text))
    assert [spec.task for spec in specs.values()] == ["denoising", "denoising", "deblurring"]
    assert {spec.data for spec in specs.values()} == {specs["One"].data}


def test_the_contents_of_a_wrong_file_are_not_shown(tmp_path: Path) -> None:
    with pytest.raises(IqbenchError) as caught:
        load_datasets(write(tmp_path, f"datasets: {{Mine: !!binary {'a' * 4000}}}"))
    assert len(str(caught.value)) < 300


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "datasets.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(IqbenchError, match=r"datasets\.yaml is not UTF-8 text"):
        load_datasets(path)


def test_no_torch_is_needed() -> None:
    script = (
        "import sys, iqbench.datasets.matching, iqbench.datasets.listing, iqbench.demo.outputs;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


# layouts from elsewhere


class OutsideLayout(Layout):
    layout: Literal["outside"]

    def samples(self, root: Path | None) -> list[Sample]:
        return []


class NamelessLayout(Layout):
    def samples(self, root: Path | None) -> list[Sample]:
        return []


@pytest.fixture
def entry_point(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]  # pytest's
    def declare(value: str) -> None:
        entry = EntryPoint("plugin", value, layout_module.ENTRY_POINT_GROUP)
        monkeypatch.setattr(plugins, "entry_points", lambda group: [entry])

    layouts.cache_clear()
    yield declare
    layouts.cache_clear()


def test_layouts_are_discovered_in_the_folder() -> None:
    assert {"folder", "embedded"} <= set(layouts())


def test_an_entry_point_adds_a_layout(entry_point: Callable[[str], None], tmp_path: Path) -> None:
    entry_point(f"{__name__}:OutsideLayout")
    spec = load_datasets(write(tmp_path, block(data="{layout: outside}")))["Mine"]
    assert spec.data == OutsideLayout(layout="outside")
    assert spec.data.ignored(None, []) == []


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("nothing.like.this:Layout", "cannot be loaded"),
        ("pathlib:Path", "is not a subclass of Layout"),
        (f"{__name__}:NamelessLayout", "has the name None, which cannot be written"),
        ("iqbench.datasets.layouts.folder:FolderLayout", "'folder', which iqbench itself uses"),
    ],
)
def test_a_wrong_entry_point_is_named_and_left_out(
    entry_point: Callable[[str], None], value: str, sentence: str
) -> None:
    entry_point(value)
    with pytest.warns(IqbenchWarning, match=sentence) as told:
        found = layouts()
    assert repr(value) in str(told[0].message)
    assert found["folder"].__module__ == "iqbench.datasets.layouts.folder"
