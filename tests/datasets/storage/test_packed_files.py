"""The files of a storage take few bytes each, and equal the listed files."""

from __future__ import annotations

import gc
import pickle
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iqbench.blobs.blob import LocalFile
from iqbench.blobs.remote import RemoteObject
from iqbench.datasets.storage.packed_files import ArchiveFiles, PackedFiles, RemoteFiles
from iqbench.datasets.storage.parquet_images import ImageCell
from iqbench.datasets.storage.stored_file import Refused, Span, StoredFile
from iqbench.datasets.storage.zip_members import _PackedMember

PARTS = st.sampled_from(["a", "b", "a.png", "a-b", "a0", "ä", "b.png"])
NAMES = st.lists(st.lists(PARTS, min_size=1, max_size=3).map("/".join), unique=True, max_size=12)


def packed(names: list[str]) -> PackedFiles:
    known: list[str] = []
    files = RemoteFiles(known)
    for name in names:
        files.add(name, RemoteObject(f"memory://{name}", len(name), f"version of {name}"))
    return PackedFiles(known, files)


@given(NAMES)
def test_it_is_the_mapping_of_what_was_listed(names: list[str]) -> None:
    files = packed(names)
    assert list(files) == names
    assert len(files) == len(names)
    for name in names:
        assert name in files
        address = f"memory://{name}"
        one = RemoteObject(address, len(name), f"version of {name}")
        assert files[name] == StoredFile(address, Span(one, 0, len(name)))
    assert "nothing" not in files
    with pytest.raises(KeyError):
        files["nothing"]


@given(NAMES, st.lists(PARTS, max_size=2).map("/".join))
def test_folders_are_found_among_the_names(names: list[str], folder: str) -> None:
    files = packed(names)
    prefix = f"{folder}/" if folder else ""
    inside = [name for name in names if name.startswith(prefix)]
    assert list(files.below(folder)) == inside
    assert files.has_folder(folder) == bool(inside)
    children: dict[str, bool] = {}
    for name in inside:
        child, slash, _ = name[len(prefix) :].partition("/")
        children[child] = children.get(child, False) or bool(slash)
    scanned = list(files.scan(folder))
    assert dict(scanned) == children
    assert len(scanned) == len(children)


@given(NAMES)
def test_some_of_the_files_are_the_same_files(names: list[str]) -> None:
    files = packed(names)
    kept = names[::2]
    for some in (files.keeping(kept.__contains__), files.only(kept)):
        assert {name: some[name] for name in some} == {name: files[name] for name in kept}
    renamed = files.renamed((f"x/{name}", name) for name in kept)
    assert {name: renamed[name] for name in renamed} == {f"x/{name}": files[name] for name in kept}
    again = renamed.keeping(lambda name: not name.endswith(".png"))
    assert all(again[name] == renamed[name] for name in again)
    assert dict(pickle.loads(pickle.dumps(files))) == dict(files)


def test_addresses_that_do_not_hold_the_name_and_servers_without_ranges() -> None:
    names: list[str] = []
    files = RemoteFiles(names)
    quoted = RemoteObject("https://host/a%20b.png", 3, "", whole_only=True)
    plain = RemoteObject("https://host/b.png", 2**40, '"etag"')
    files.add("a b.png", quoted)
    files.add("b.png", plain)
    assert files.file(0) == StoredFile(quoted.name, Span(quoted, 0, 3))
    assert files.file(1) == StoredFile(plain.name, Span(plain, 0, 2**40))


def test_tags_and_files_that_a_server_refuses_are_kept() -> None:
    files = RemoteFiles([])
    tagged = RemoteObject("s3://bucket/a.png", 3, '"etag"', has_tag=True)
    refused = StoredFile("s3://bucket/b.png", Refused("s3://bucket/b.png: forbidden", "Ask"))
    files.add("a.png", tagged)
    files.add_file("b.png", refused)
    files.add("c.png", RemoteObject("s3://bucket/c.png", 4, "1.5"))
    assert files.file(0).identity == StoredFile(tagged.name, Span(tagged, 0, 3)).identity
    assert files.file(0).identity is not None
    assert files.file(1) == refused
    assert files.file(2).name == "s3://bucket/c.png"
    assert files.file(2).identity is None


def test_members_of_archives_are_those_that_were_added() -> None:
    blobs = [LocalFile(Path(f"{number}.zip"), 10**9, 7) for number in range(2)]
    extents = {
        "a.png": Span(blobs[0], 512, 100),
        "link": Refused("0.zip#link is a link or no plain file"),
        "b.png": _PackedMember(blobs[0], "b.png", 5, 10, 20, 8, 2**32 - 1),
        "c.png": _PackedMember(blobs[1], "./c.png", -5, 10, 20, 8, 0),
        "huge.png": _PackedMember(blobs[1], "huge.png", 5, 2**64 - 1, 2**63, 8, 0),
        "d.png": ImageCell(blobs[1], "hr.bytes", 3, 4, 5),
    }
    owners = dict(zip(extents, [*([blobs[0]] * 3), *([blobs[1]] * 3)], strict=True))
    names: list[str] = []
    files = ArchiveFiles(names, inner="hr/")
    for name, extent in extents.items():
        files.add(name, owners[name], extent)
    assert names == list(extents)
    for place, (name, extent) in enumerate(extents.items()):
        assert files.blob(place) == owners[name]
        assert files.file(place) == StoredFile(f"{owners[name].name}#hr/{name}", extent)


def remote(names: list[str]) -> RemoteFiles:
    files = RemoteFiles([])
    for number, name in enumerate(names):
        one = RemoteObject(f"s3://bucket/some/{name}", 5000 + number, f'"{number:032x}"')
        files.add(name, one)
    return files


def members(names: list[str]) -> ArchiveFiles:
    files = ArchiveFiles([])
    for number, name in enumerate(names):
        files.add(name, LocalFile(Path("images.tar"), 10**9, 7), Span(LOCAL, 1024 * number, 512))
    return files


def zipped(names: list[str]) -> ArchiveFiles:
    files = ArchiveFiles([])
    for number, name in enumerate(names):
        files.add(name, LOCAL, _PackedMember(LOCAL, name, 1024 * number, 500, 512, 8, number))
    return files


LOCAL = LocalFile(Path("images.tar"), 10**9, 7)


@pytest.mark.parametrize("make", [remote, members, zipped])
def test_a_file_takes_less_than_hundred_bytes_beside_its_name(
    make: Callable[[list[str]], RemoteFiles | ArchiveFiles],
) -> None:
    names = [f"scene/image{number:06}.png" for number in range(5000)]
    tracemalloc.start()
    files = PackedFiles(names, make(names))
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] / len(files)
    tracemalloc.stop()
    assert taken < 100
