"""Images in every kind of storage are found by name and scored like those of a folder."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_archives import files_below, put_objects, write_parquet, write_tar, write_zip
from made_folders import Made

from iqbench.cli.main import main
from iqbench.datasets.dataset import reference_folder
from iqbench.datasets.files import walk
from iqbench.datasets.load import load_datasets
from iqbench.datasets.matching.bitstreams import find_bitstreams
from iqbench.datasets.matching.by_name import match_outputs
from iqbench.datasets.matching.methods import resolve_methods
from iqbench.datasets.reference_set import reference_set
from iqbench.datasets.storage.limits import why_unsafe
from iqbench.datasets.storage.paths import StoredPath, source_of
from iqbench.datasets.storage.places import find_place
from iqbench.errors import IqbenchError

IMAGES = ("a", "b", "img_2", "img_10")


def as_zip(folder: Path, to: Path) -> str:
    return str(write_zip(to / "packed.zip", files_below(folder)))


def as_stored_zip(folder: Path, to: Path) -> str:
    return str(write_zip(to / "packed.zip", files_below(folder), method=zipfile.ZIP_STORED))


def as_bzip2(folder: Path, to: Path) -> str:
    return str(write_zip(to / "packed.zip", files_below(folder), method=zipfile.ZIP_BZIP2))


def as_folder_in_zip(folder: Path, to: Path) -> str:
    return f"{write_zip(to / 'packed.zip', files_below(folder), 'set/hr/')}#set/hr"


def as_tar(folder: Path, to: Path) -> str:
    return str(write_tar(to / "packed.tar", files_below(folder)))


def as_field(folder: Path, to: Path) -> str:
    return f"{write_tar(to / 'packed.tar', files_below(folder), 'sharp.png')}#sharp.png"


def as_shards(folder: Path, to: Path) -> str:
    files = list(files_below(folder).items())
    for number in range(2):
        write_tar(to / f"shard-{number:03}.tar", dict(files[number::2]))
    return str(to / "shard-{000..001}.tar")


def as_parquet(folder: Path, to: Path) -> str:
    return str(write_parquet(to / "packed.parquet", files_below(folder)))


def as_named_rows(folder: Path, to: Path) -> str:
    files = files_below(folder)
    names = [name.removesuffix(".png") for name in files]
    path = write_parquet(to / "packed.parquet", files, paths=["x.png"] * len(files), stem=names)
    return f"{path}#image:key=stem"


def as_parquet_shards(folder: Path, to: Path) -> str:
    files = list(files_below(folder).items())
    for number in range(2):
        write_parquet(to / f"train-{number}-of-2.parquet", dict(files[number::2]), "hr")
    return f"{to}/train-*.parquet#hr"


def as_dotted_names(write: Callable[..., Path]) -> Callable[[Path, Path], str]:
    """Name the members ``./a.png`` and ``.//img_2.png``, as some programs do that pack."""

    def form(folder: Path, to: Path) -> str:
        files = files_below(folder).items()
        named = {
            f"{'.//' if number % 2 else './'}{name}": data
            for number, (name, data) in enumerate(files)
        }
        return str(write(to / f"packed.{write.__name__.removeprefix('write_')}", named))

    form.__name__ = f"dotted_{write.__name__}"
    return form


def as_objects(folder: Path, to: Path) -> str:
    return put_objects("memory://bucket/folder", files_below(folder))


def as_remote(pack: Callable[[Path, Path], str]) -> Callable[[Path, Path], str]:
    def form(folder: Path, to: Path) -> str:
        part = pack(folder, to).partition("#")
        files = {path.name: path.read_bytes() for path in to.iterdir() if path.is_file()}
        put_objects("memory://bucket/archives", files)
        return f"memory://bucket/archives/{Path(part[0]).name}{part[1]}{part[2]}"

    form.__name__ = f"remote_{pack.__name__}"
    return form


LOCAL = (
    *(as_zip, as_stored_zip, as_bzip2, as_folder_in_zip, as_tar, as_field, as_shards),
    *(as_parquet, as_named_rows, as_parquet_shards),
    *map(as_dotted_names, (write_zip, write_tar, write_parquet)),
)
FORMS = (*LOCAL, as_objects, *map(as_remote, LOCAL))


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    (tmp_path / "packed").mkdir()
    return tmp_path / "packed"


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_form_has_the_images_of_the_folder(form, tmp_path: Path, packed: Path) -> None:
    folder = Made(tmp_path).references(IMAGES)
    place = form(folder, packed)
    local, stored = reference_folder(folder, "x"), reference_folder(place, "x")
    assert [one.image for one in stored.samples] == [one.image for one in local.samples]
    for ours, theirs in zip(stored.samples, local.samples, strict=True):
        # Sources travel to other processes.
        source = pickle.loads(pickle.dumps(ours.needed_reference))
        assert source.read().digest == theirs.needed_reference.read().digest
        assert source.probe() == theirs.needed_reference.probe()
        assert source.size() > 0
    (method,) = resolve_methods([f"mine={place}"])
    found = match_outputs(method, local, alone=True)
    assert list(found.outputs) == [one.image for one in local.samples]
    assert not found.problems
    assert not found.extra


def test_a_path_travels_with_its_own_files_alone(tmp_path: Path, packed: Path) -> None:
    whole = find_place(as_zip(Made(tmp_path).references(IMAGES), packed))
    assert isinstance(whole, StoredPath)
    one = whole / "a.png"
    travelled = pickle.loads(pickle.dumps(one))
    assert travelled == one
    assert str(travelled) == str(one)
    assert list(travelled.storage.files) == ["a.png"]
    assert travelled.source().read().digest == one.source().read().digest
    assert sorted(pickle.loads(pickle.dumps(whole)).walk()) == sorted(whole.walk())


@pytest.mark.parametrize(
    ("references", "outputs"),
    [(as_zip, as_field), (as_parquet, as_objects), (as_remote(as_field), as_remote(as_parquet))],
)
def test_values_are_those_of_the_folders(references, outputs, tmp_path: Path, packed: Path) -> None:
    made = Made(tmp_path)
    hr, out = made.references(), made.method()
    made.evaluate(f"mine={out}", dataset_name="x")
    expected = made.values()
    made.results = tmp_path / "stored"
    (packed / "out").mkdir()
    place = f"mine={outputs(out, packed / 'out')}"
    summary = made.evaluate(place, reference=references(hr, packed), dataset_name="x")
    assert made.values() == expected
    assert not summary.warnings
    again = made.evaluate(place, reference=references(hr, packed), dataset_name="x")
    assert (again.scored, again.current) == (0, 3)


def test_scores_of_a_folder_stay_when_it_is_packed(tmp_path: Path, packed: Path) -> None:
    made = Made(tmp_path)
    hr, out = made.references(), made.method()
    made.evaluate(f"mine={out}", dataset_name="x")
    summary = made.evaluate(
        f"mine={as_zip(out, packed)}", reference=as_objects(hr, packed), dataset_name="x"
    )
    assert (summary.scored, summary.current) == (0, 3)


def test_a_folder_of_archives_says_how_to_name_them(tmp_path: Path, packed: Path) -> None:
    made = Made(tmp_path)
    hr = made.references()
    as_shards(hr, packed)
    message = f"To read the archives in it, name them: '{packed}/*.tar'"
    for find in (reference_folder, reference_set):
        with pytest.raises(IqbenchError) as caught:
            find(packed)
        assert message in str(caught.value)
    (method,) = resolve_methods([str(packed)])
    found = match_outputs(method, reference_folder(hr), alone=True)
    assert message in found.message


def test_a_missing_output_is_missing_in_every_form(tmp_path: Path, packed: Path) -> None:
    made = Made(tmp_path)
    made.references()
    place = as_zip(made.method(images="ab"), packed)
    summary = made.evaluate(f"mine={place}", dataset_name="x")
    (failure,) = summary.failures
    assert failure.image == "c"
    assert failure.error == f"missing output: no c.* in {place}"


def test_files_that_are_no_images_are_warned_of(tmp_path: Path, packed: Path) -> None:
    made = Made(tmp_path)
    made.method()
    files = files_below(made.references()) | {"a.json": b"{}", "__MACOSX/a.png": b"", ".x": b""}
    dataset = reference_folder(str(write_tar(packed / "x.tar", files)))
    assert dataset.ignored == ["a.json"]
    assert len(dataset.samples) == 3


def test_names_are_those_of_folders_archives_and_columns(tmp_path: Path, packed: Path) -> None:
    folder = Made(tmp_path).references()
    assert reference_folder(as_zip(folder, packed)).name == "packed"
    assert reference_folder(as_folder_in_zip(folder, packed)).name == "hr"
    assert reference_folder(as_field(folder, packed)).name == "sharp"
    assert reference_folder(as_shards(folder, packed)).name == "packed"
    assert reference_folder(as_parquet_shards(folder, packed)).name == "hr"
    assert reference_folder(as_objects(folder, packed)).name == "folder"
    (method,) = resolve_methods([as_objects(folder, packed)])
    assert method.name == "folder"


def test_rows_without_paths_are_numbered(tmp_path: Path, packed: Path) -> None:
    folder = Made(tmp_path).references("abc")
    files = files_below(folder)
    for number, name in enumerate(files):
        write_parquet(packed / f"{number}.parquet", {name: files[name]}, paths=[None])
    dataset = reference_folder(str(packed / "*.parquet"))
    assert [one.image for one in dataset.samples] == ["0", "1", "2"]
    digests = [one.needed_reference.read().digest for one in dataset.samples]
    assert digests == [source_of(folder / name).read().digest for name in files]


@pytest.mark.parametrize("names", ["name", "a.name"])
@pytest.mark.parametrize("column", ["image", "hr.png", "a.b.c"])
@pytest.mark.parametrize(
    "kind",
    [
        *(pa.binary(), pa.large_binary(), pa.binary_view()),
        pa.dictionary(pa.int32(), pa.binary()),
        pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
        pa.struct([("path", pa.string()), ("bytes", pa.large_binary())]),
    ],
    ids=str,
)
def test_columns_of_any_name_and_kind_of_bytes_are_read(
    kind: pa.DataType, column: str, names: str, tmp_path: Path
) -> None:
    files = files_below(Made(tmp_path).references("abc"))
    cells = list(files.values())
    values = [{"bytes": cell} for cell in cells] if pa.types.is_struct(kind) else cells
    texts = {"name": list(files), "a.name": [name.encode() for name in files]}
    columns = {column: pa.array(values, pa.binary() if values is cells else kind).cast(kind)}
    pq.write_table(pa.table(columns | texts), tmp_path / "x.parquet", row_group_size=2)
    place = f"{tmp_path}/x.parquet#{column}:key={names}"
    found = reference_folder(place, "x").samples
    assert {f"{one.image}.png": one.needed_reference.read().data for one in found} == files


def test_a_path_made_by_pathlib_is_still_an_address(tmp_path: Path, packed: Path) -> None:
    as_objects(Made(tmp_path).references(), packed)
    assert [one.image for one in reference_folder(Path("memory://bucket/folder")).samples] == [
        *"abc"
    ]


def test_sub_folders_of_a_storage_are_methods(tmp_path: Path, packed: Path) -> None:
    made = Made(tmp_path)
    hr = made.references()
    made.method("one")
    made.method("two")
    place = as_zip(tmp_path / "out", packed)
    assert [one.name for one in resolve_methods([], place)] == ["one", "two"]
    made.evaluate(methods_in=place, reference=hr)
    assert len(made.values()) == 6
    remote = put_objects("memory://bucket/out", files_below(tmp_path / "out"))
    assert [str(one.folder) for one in resolve_methods([], remote)] == [
        "memory://bucket/out/one",
        "memory://bucket/out/two",
    ]


def test_several_datasets_lie_in_sub_folders_of_a_storage(tmp_path: Path, packed: Path) -> None:
    made = Made(tmp_path)
    hr = made.references()
    made.method(folder="mine/x")
    place = as_zip(tmp_path / "out/mine", packed)
    dataset = reference_folder(hr, "x")
    (method,) = resolve_methods([place])
    assert list(match_outputs(method, dataset, alone=False).outputs) == [*"abc"]
    assert not match_outputs(method, reference_folder(hr, "y"), alone=False).attempted


def test_references_in_the_archive_of_outputs_are_not_outputs(tmp_path: Path, packed: Path) -> None:
    made = Made(tmp_path)
    hr, out = made.references(), made.method()
    files = {f"x/{name}": data for name, data in files_below(hr).items()}
    place = write_zip(packed / "all.zip", files | files_below(out))
    dataset = reference_folder(f"{place}#x")
    (method,) = resolve_methods([str(place)])
    found = match_outputs(method, dataset, alone=True)
    digest = source_of(found.outputs["a"]).read().digest
    assert digest == source_of(out / "a.png").read().digest


def test_bitstreams_and_reference_sets_lie_in_storages(tmp_path: Path, packed: Path) -> None:
    made = Made(tmp_path)
    out = made.method()
    (out / "bitstreams").mkdir()
    (out / "bitstreams/a.bin").write_bytes(b"12345")
    place = find_place(as_zip(out, packed))
    assert find_bitstreams(place)["a"].read() == find_bitstreams(out)["a"].read()
    table = find_place(put_objects("memory://b/t", {"bitstreams.csv": b"image,bytes\na,7\n"}))
    assert find_bitstreams(table)["a"].stated == 7
    found = reference_set(as_zip(made.references(), packed))
    assert (found.name, len(found.images)) == ("packed", 3)


@pytest.mark.parametrize(
    ("root", "references"),
    [("{packed}", "hr.zip"), ("memory://data", "hr.zip"), ("memory://data", "hr")],
)
def test_datasets_files_name_storages(
    root: str, references: str, tmp_path: Path, packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IQBENCH_DATA", raising=False)
    hr = Made(tmp_path).references()
    archive = write_zip(packed / "hr.zip", files_below(hr))
    put_objects("memory://data", {"hr.zip": archive.read_bytes()})
    put_objects("memory://data/hr", files_below(hr))
    file = tmp_path / "datasets.yaml"
    file.write_text(
        f"root: {root.format(packed=packed)}\ndatasets:\n  x:\n    images: 3\n"
        f"    data: {{layout: folder, references: {references}}}\n"
    )
    dataset = load_datasets(file)["x"].open()
    assert [one.image for one in dataset.samples] == [*"abc"]
    assert dataset.place == f"{root.format(packed=packed)}/{references}"


def test_layouts_of_other_files_name_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IQBENCH_DATA", "memory://data")
    specs = load_datasets()
    with pytest.raises(IqbenchError, match="'TID2013' must be on this machine, not at memory://"):
        specs["TID2013"].open()
    with pytest.raises(IqbenchError, match=r"reference folder memory://data/.* does not exist"):
        specs["Set5-x4"].open()


def test_the_command_takes_addresses(tmp_path: Path, packed: Path) -> None:
    made = Made(tmp_path)
    hr, out = made.references(), made.method()
    place = as_objects(hr, packed)
    arguments = ["--reference", place, "--method", as_parquet(out, packed), "--metric", "psnr"]
    with pytest.raises(SystemExit) as leaving:
        main(["evaluate", *arguments, "--results", str(made.results), "--device", "cpu"])
    assert leaving.value.code == 0
    assert {method for method, _ in made.values()} == {"packed"}


NAME = st.text(st.characters(codec="utf-8", exclude_characters="/\\\0"), min_size=1, max_size=8)


@settings(max_examples=15)
@given(st.sets(st.lists(NAME, min_size=1, max_size=3).map("/".join), min_size=1, max_size=6))
def test_any_names_are_listed_as_in_a_folder(tmp_path_factory, names: set[str]) -> None:
    base = tmp_path_factory.mktemp("any")
    folder = base / "folder"
    for name in names:
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
        except OSError:  # the name of a file is also that of a folder, or leads out
            return
    files = files_below(folder)
    if set(files) != names:
        return
    archives = write_zip(base / "x.zip", files), write_tar(base / "x.tar", files)
    if any(why_unsafe(name) for name in names):
        for archive in archives:
            with pytest.raises(IqbenchError, match=r"leads out|cannot be used"):
                find_place(archive)
        return
    places = [find_place(archive) for archive in archives]
    for place in places:
        assert isinstance(place, StoredPath)
        assert sorted(walk(place)) == sorted(walk(folder))
        for name in walk(place):
            assert (place / name).source().load() == b"x"
