"""Unpacking untrusted archives: complete, inside the folder, plain files only, bounded."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from iqbench.datasets.fetching.archives import Limits, unpack
from iqbench.datasets.storage import limits
from iqbench.errors import IqbenchError

FILES = {"top/a.png": b"a" * 300, "top/sub/b.png": b"b", "top/readme.txt": b"hello"}


def make_zip(path: Path, files: dict[str, bytes], mode: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return path


def make_tar(path: Path, files: dict[str, bytes], kind: bytes = tarfile.REGTYPE) -> Path:
    suffix = path.suffix.removeprefix(".")
    with tarfile.open(path, f"w:{suffix}" if suffix in {"gz", "bz2", "xz"} else "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            info.size = len(content) if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(content))
    return path


MAKERS = {
    "a.zip": make_zip,
    **dict.fromkeys(("a.tar", "a.tar.gz", "a.tar.bz2", "a.tar.xz"), make_tar),
}


def everything(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., str]:
    """Unpack what must not be; nothing may stay."""

    def refuse(archive: Path, **options: object) -> str:
        before = set(tmp_path.rglob("*"))
        with pytest.raises(IqbenchError) as caught:
            unpack(archive, tmp_path / "target", **options)
        assert set(tmp_path.rglob("*")) == before
        return str(caught.value)

    return refuse


@pytest.mark.parametrize("name", MAKERS)
def test_an_archive_is_unpacked_whole(tmp_path: Path, name: str) -> None:
    archive = MAKERS[name](tmp_path / name, FILES)
    assert unpack(archive, tmp_path / "target") == 3
    assert everything(tmp_path / "target") == FILES
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "target"])


def test_one_folder_of_it_can_become_the_target(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"top/": b"", **FILES})
    (tmp_path / "deep" / "target").mkdir(parents=True)
    unpack(archive, tmp_path / "deep" / "target", folder="top")
    assert set(everything(tmp_path / "deep" / "target")) == {"a.png", "sub/b.png", "readme.txt"}


def test_a_folder_that_it_does_not_have_is_an_error(tmp_path: Path, refused) -> None:
    archive = make_zip(tmp_path / "a.zip", FILES)
    assert "a.zip has no folder 'other'" in refused(archive, folder="other")


def test_existing_files_are_not_overwritten(tmp_path: Path, refused) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "mine.png").write_bytes(b"mine")
    assert "is already there" in refused(make_zip(tmp_path / "a.zip", FILES))


@pytest.mark.parametrize(
    "name",
    ["../evil.png", "/evil.png", "top/../../evil.png", "C:/evil.png", "..\\evil.png"],
)
@pytest.mark.parametrize("kind", ["a.zip", "a.tar"])
def test_a_path_that_leads_out_is_refused(tmp_path: Path, refused, kind: str, name: str) -> None:
    archive = MAKERS[kind](tmp_path / kind, {"top/a.png": b"a", name: b"evil"})
    assert "leads out of it" in refused(archive)


@pytest.mark.parametrize("kind", ["a.zip", "a.tar"])
def test_a_path_with_a_control_character_is_refused(tmp_path: Path, refused, kind: str) -> None:
    archive = MAKERS[kind](tmp_path / kind, {"top/a.png": b"a", "top/a\nb.png": b"evil"})
    assert "cannot be used: it holds a control character" in refused(archive)


@pytest.mark.parametrize("kind", ["a.zip", "a.tar"])
def test_a_path_of_nothing_is_refused(tmp_path: Path, refused, kind: str) -> None:
    archive = MAKERS[kind](tmp_path / kind, {"top/a.png": b"a", "": b"b"})
    assert f"{kind} is not unpacked: the path ''" in refused(archive)


def test_memory_that_runs_out_is_not_reported_as_damage(
    tmp_path: Path, refused, monkeypatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    archive = make_zip(tmp_path / "a.zip", FILES)
    monkeypatch.setattr(zipfile.ZipFile, "open", fail)
    assert "a.zip needs more memory to be unpacked than there is" in refused(archive)


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFIFO | 0o600, stat.S_IFCHR])
def test_links_and_devices_in_a_zip_are_refused(tmp_path: Path, refused, mode: int) -> None:
    archive = make_zip(tmp_path / "a.zip", {"link.png": b"/etc/passwd"}, mode)
    assert "'link.png' is a link or no plain file" in refused(archive)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, refused, kind: bytes) -> None:
    archive = make_tar(tmp_path / "a.tar", {"link.png": b""}, kind)
    assert "'link.png' is a link or no plain file" in refused(archive)


@pytest.mark.parametrize("kind", ["a.zip", "a.tar.gz", "a.tar.xz"])
def test_archives_that_grow_too_much_are_refused(tmp_path: Path, refused, kind: str) -> None:
    archive = MAKERS[kind](tmp_path / kind, {"bomb.bmp": bytes(30 * 2**20)})
    assert archive.stat().st_size < 2**18
    assert "it holds more than" in refused(archive)


@pytest.mark.parametrize("kind", ["a.zip", "a.tar"])
def test_too_many_bytes_or_files_are_refused(tmp_path: Path, refused, kind: str) -> None:
    archive = MAKERS[kind](tmp_path / kind, FILES)
    assert "more than 200 bytes" in refused(archive, limits=Limits(bytes=200))
    assert "more than 2 files" in refused(archive, limits=Limits(files=2))


def test_a_size_that_the_header_understates_does_not_help(tmp_path: Path, refused) -> None:
    archive = make_zip(tmp_path / "a.zip", {"a.bmp": bytes(5000)})
    content = bytearray(archive.read_bytes())
    stated = (5000).to_bytes(4, "little")
    assert content.count(stated) == 2
    archive.write_bytes(bytes(content).replace(stated, (10).to_bytes(4, "little")))
    assert "a.zip is damaged" in refused(archive)


@pytest.mark.parametrize("kind", ["a.zip", "a.tar"])
def test_one_path_twice_is_refused(tmp_path: Path, refused, kind: str) -> None:
    path = tmp_path / kind
    if kind == "a.zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.png", b"1")
            with pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr("a.png", b"2")
    else:
        with tarfile.open(path, "w") as archive:
            for content in (b"1", b"2"):
                info = tarfile.TarInfo("a.png")
                info.size = 1
                archive.addfile(info, io.BytesIO(content))
    assert "'a.png' is in it twice" in refused(path)


def test_a_file_that_is_also_a_folder_is_refused(tmp_path: Path, refused) -> None:
    archive = make_tar(tmp_path / "a.tar", {"a": b"1", "a/b": b"2"})
    assert "cannot be unpacked" in refused(archive)


@pytest.mark.parametrize("name", MAKERS)
def test_a_truncated_archive_leaves_nothing(tmp_path: Path, refused, name: str) -> None:
    archive = MAKERS[name](tmp_path / name, {"a.png": os.urandom(4000), "b.png": os.urandom(4000)})
    archive.write_bytes(archive.read_bytes()[:3000])
    assert name in refused(archive)


def test_files_that_are_not_archives_are_refused(tmp_path: Path, refused) -> None:
    (tmp_path / "a.zip").write_bytes(b"<html>not found</html>")
    assert "is neither a zip nor a tar archive" in refused(tmp_path / "a.zip")


def test_an_encrypted_archive_is_refused(tmp_path: Path, refused) -> None:
    archive = make_zip(tmp_path / "a.zip", {"a.png": b"a" * 100})
    content = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    archive.write_bytes(content)
    assert "cannot be unpacked" in refused(archive)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize("first", [True, False])
def test_long_headers_are_refused_before_they_are_read(
    tmp_path: Path, refused, kind: bytes, first: bool
) -> None:
    """A small file, most of which is one header of 60 MB."""
    size = 60_000_000
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        if not first:
            archive.addfile(tarfile.TarInfo("a.png"))
        header = tarfile.TarInfo("header")
        header.type, header.size = kind, size
        archive.addfile(header, io.BytesIO(b"60000000 comment=" + bytes(size)))
        archive.addfile(tarfile.TarInfo("b.png"))
    tracemalloc.start()
    try:
        assert "very long headers" in refused(tmp_path / "a.tar.gz")
        assert tracemalloc.get_traced_memory()[1] < size / 4
    finally:
        tracemalloc.stop()


def test_many_headers_are_bounded_too(tmp_path: Path, refused, monkeypatch) -> None:
    monkeypatch.setattr(limits, "_EXTENDED_HEADERS", 10_000)
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        for number in range(20):
            info = tarfile.TarInfo(f"{number}.png")
            info.pax_headers = {"comment": "x" * 900}
            archive.addfile(info)
    assert "very long headers" in refused(tmp_path / "a.tar")


def test_sparse_files_and_endless_folders_are_refused(tmp_path: Path, refused) -> None:
    sparse = make_tar(tmp_path / "a.tar", {"a.png": b""}, tarfile.GNUTYPE_SPARSE)
    assert "a.tar" in refused(sparse)
    folders = make_tar(tmp_path / "b.tar", {f"{n}": b"" for n in range(9)}, tarfile.DIRTYPE)
    assert "more than 3 files" in refused(folders, limits=Limits(files=3))


def test_names_of_usual_length_in_extended_headers_are_read(tmp_path: Path) -> None:
    name = "/".join(["folder" * 10] * 5) + "/ä.png"
    archive = make_tar(tmp_path / "a.tar", {name: b"a"})
    assert unpack(archive, tmp_path / "target") == 1
    assert everything(tmp_path / "target") == {name: b"a"}
