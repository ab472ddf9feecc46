"""Untrusted archives: errors name the problem, and nothing is unpacked to disk."""

from __future__ import annotations

import tarfile
import warnings
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_archives import files_below, write_parquet, write_tar, write_zip
from made_folders import Made

from iqbench.datasets.dataset import reference_folder
from iqbench.datasets.storage import parquet_images, zip_members
from iqbench.datasets.storage.limits import Limits
from iqbench.datasets.storage.places import find_place
from iqbench.errors import IqbenchError
from iqbench.images import source
from iqbench.images.write import write_png


def refusal(place: object) -> str:
    with pytest.raises(IqbenchError) as caught:
        find_place(str(place))
    return str(caught.value)


def reading(place: object, image: str = "a") -> str:
    """Why an image of an archive that can be listed cannot be read."""
    dataset = reference_folder(str(place), "x")
    (source,) = (one.needed_reference for one in dataset.samples if one.image == image)
    with pytest.raises(IqbenchError) as caught:
        source.read()
    return str(caught.value)


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "x/../../a.png", "a\\b.png", "a\nb.png"])
@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_paths_that_lead_out_are_refused(write, name: str, tmp_path: Path) -> None:
    place = write(tmp_path / f"x.{write.__name__[-3:]}", {name: b"x"})
    assert "leads out" in refusal(place) or "cannot be used" in refusal(place)
    assert ("separated by /" in refusal(place)) == ("\\" in name)
    assert str(place) in refusal(place)


def test_one_name_twice_is_refused(tmp_path: Path) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("a.png", b"1")
        archive.writestr("a.png", b"2")
    assert "'a.png' is in it twice" in refusal(tmp_path / "x.zip")
    for write, suffix in ((write_zip, "zip"), (write_tar, "tar")):
        place = write(tmp_path / f"spelt.{suffix}", {"a/b.png": b"1", "./a//b.png": b"2"})
        assert "'a/b.png' is in it twice" in refusal(place)
    for name in ("1.tar", "2.tar"):
        write_tar(tmp_path / name, {"a.png": b"x"})
    assert "is twice in" in refusal(tmp_path / "*.tar")
    same = {"a": b"1", "b": b"2"}
    write_parquet(tmp_path / "x.parquet", same, paths=["image.png", "image.png"])
    assert "#image:key=COLUMN" in refusal(tmp_path / "x.parquet")


def test_a_bomb_is_the_error_of_its_image(tmp_path: Path) -> None:
    made = Made(tmp_path)
    out = made.method()
    made.references()
    bomb = {"a.png": bytes(60 * 2**20)} | {
        name: data for name, data in files_below(out).items() if name != "a.png"
    }
    place = write_zip(tmp_path / "out.zip", bomb)
    summary = made.evaluate(f"mine={place}", dataset_name="x")
    assert summary.scored == 2
    (failure,) = summary.failures
    assert failure.error.startswith(f"{place}#a.png cannot be read: it unpacks from")


def test_a_zip_with_wrong_sizes_gives_no_more_bytes_than_stated(tmp_path: Path) -> None:
    place = write_zip(tmp_path / "x.zip", {"a.png": bytes(1000)})
    data = bytearray(place.read_bytes())
    directory = data.index(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = (10).to_bytes(4, "little")
    place.write_bytes(data)
    assert "checksum or size" in reading(place)


def test_a_zip_is_checked_against_its_checksums(tmp_path: Path) -> None:
    place = write_zip(tmp_path / "x.zip", {"a.png": b"pixels" * 9}, method=zipfile.ZIP_STORED)
    data = bytearray(place.read_bytes())
    data[data.index(b"pixels")] ^= 1
    place.write_bytes(data)
    assert "it is damaged" in reading(place)


def test_encrypted_and_unknown_packing_are_named(tmp_path: Path) -> None:
    place = write_zip(tmp_path / "x.zip", {"a.png": b"x"})
    data = bytearray(place.read_bytes())
    directory = data.index(b"PK\x01\x02")
    place.write_bytes(data[: directory + 8] + b"\x01" + data[directory + 9 :])
    assert f"{place}#a.png is encrypted" in reading(place)
    write_zip(place, {"a.png": b"x" * 99}, method=zipfile.ZIP_LZMA)
    assert "packed by method 14, which is not read" in reading(place)


@pytest.mark.parametrize("suffix", ["zip", "tar", "parquet"])
@pytest.mark.parametrize("content", [b"", b"no archive", bytes(10_000)[:511]])
def test_what_is_no_archive_is_named(content: bytes, suffix: str, tmp_path: Path) -> None:
    place = tmp_path / f"x.{suffix}"
    place.write_bytes(content)
    assert str(place) in refusal(place)
    assert "or damaged" in refusal(place)


def test_an_archive_that_is_cut_off_is_not_a_smaller_one(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "x.tar", {f"{n}.png": b"x" * 700 for n in range(4)})
    data = whole.read_bytes()
    for length in (700, 1536, 2000, 2 * 1536, 2048 + 512 + 100, 4 * 1536, 4 * 1536 + 100):
        whole.write_bytes(data[:length])
        message = ""
        try:
            message = reading(whole, "1")
        except ValueError:  # it is not listed
            message = ""
        except BaseException:  # the listing is refused
            message = refusal(whole)
        assert "damaged" in message or "cut off" in message


def test_several_tars_in_one_file_are_not_read_as_the_first(tmp_path: Path) -> None:
    one = write_tar(tmp_path / "x.tar", {"a.png": b"x"}).read_bytes()
    two = write_tar(tmp_path / "y.tar", {"b.png": b"x"}).read_bytes()
    (tmp_path / "both.tar").write_bytes(one + two)
    assert "more follows, as if several tars were one" in refusal(tmp_path / "both.tar")
    (tmp_path / "padded.tar").write_bytes(one + bytes(2**16))
    assert len(reference_folder(str(tmp_path / "padded.tar")).samples) == 1


def test_damage_between_members_does_not_end_the_listing(tmp_path: Path) -> None:
    place = write_tar(tmp_path / "x.tar", {f"{n}.png": b"x" for n in range(4)})
    data = bytearray(place.read_bytes())
    data[1024] ^= 1  # of the second header, which no longer fits its checksum
    place.write_bytes(data)
    assert "there is no header at byte 1,024" in refusal(place)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_are_errors_of_their_images(kind: bytes, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        info = tarfile.TarInfo("a.png")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
        info = tarfile.TarInfo("b.png")
        info.size = 3
        archive.addfile(info, BytesIO(b"abc"))
    assert "x.tar#a.png is a link or no plain file" in reading(tmp_path / "x.tar")
    dataset = reference_folder(tmp_path / "x.tar")
    assert dataset.samples[1].needed_reference.size() == 3


def test_archives_packed_as_a_whole_are_refused_with_the_way_out(tmp_path: Path) -> None:
    for name in ("x.tar.gz", "x.tgz", "x.tar.zst", "x.7z"):
        (tmp_path / name).write_bytes(b"x")
        assert "pack it again as a .tar without compression" in refusal(tmp_path / name)


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_members, "Limits", lambda: Limits(files=2))
    place = write_zip(tmp_path / "x.zip", {f"{n}.png": b"x" for n in range(3)})
    assert "more than 2 files" in refusal(place)
    assert "more than 1,000,000 files" in refusal(f"{tmp_path}/{{0..1000001}}.tar")


def test_parts_that_are_not_there_are_named_with_those_that_are(tmp_path: Path) -> None:
    files = {"hr/1.png": b"x", "k.sharp.png": b"x", "k.blur.png": b"x", "k.json": b"x"}
    message = refusal(f"{write_zip(tmp_path / 'x.zip', files)}#lr")
    assert "no folder and no field 'lr'" in message
    assert "folders: hr; fields: blur.png, png, sharp.png" in message
    table = {"image": b"x"}
    place = write_parquet(tmp_path / "x.parquet", table, other=[b"y"], name=["n"])
    assert "2 columns of images: image, other" in refusal(place)
    assert "unknown column of images 'imge'" in refusal(f"{place}#imge")
    assert "unknown column of names 'nam'. Did you mean 'name'?" in refusal(
        f"{place}#image:key=nam"
    )
    assert "#COLUMN:key=NAMES" in refusal(f"{place}#image:sort=name")
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "y.parquet")
    assert "has no column of images" in refusal(tmp_path / "y.parquet")
    assert "column 'text' holds string, not images" in refusal(f"{tmp_path}/y.parquet#text")
    table = pa.table({"image": [b"x"], "key": [b"\xff"], "list": [["a"]]})
    pq.write_table(table, tmp_path / "z.parquet")
    assert "bytes that are no text" in refusal(f"{tmp_path}/z.parquet#image:key=key")
    assert "column 'list' holds list<element: string>, not names" in refusal(
        f"{tmp_path}/z.parquet#image:key=list"
    )


def test_a_cell_without_bytes_is_the_error_of_its_image(tmp_path: Path) -> None:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    cells = [{"bytes": None, "path": "a.png"}, {"bytes": b"x", "path": "b.png"}]
    pq.write_table(pa.table({"image": pa.array(cells, kind)}), tmp_path / "x.parquet")
    assert "row 0 of group 0 of rows has no bytes in column 'image.bytes'" in reading(
        tmp_path / "x.parquet"
    )


def test_a_value_that_is_repeated_takes_its_memory_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_images, "_REPEATED_BYTES", 2**20)
    image = bytes(range(256)) * 1024
    files = {f"{n}.png": image for n in range(64)}
    place = write_parquet(tmp_path / "x.parquet", files, rows=64)
    before = pa.total_allocated_bytes()
    dataset = reference_folder(place, "x")
    assert dataset.samples[7].needed_reference.read().data == image
    assert pa.total_allocated_bytes() - before < 10 * len(image)


@pytest.mark.parametrize(("limit", "compression"), [(2**20, "none"), (2**31, "zstd")])
def test_a_group_that_unpacks_too_much_is_refused(
    limit: int, compression: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_images, "_GROUP_BYTES", limit)
    table = pa.table({"image": [bytes(2**22)]})
    pq.write_table(table, tmp_path / "x.parquet", compression=compression, use_dictionary=False)
    message = reading(tmp_path / "x.parquet", "0")
    assert "more than the" in message
    assert "smaller groups of rows" in message


@pytest.mark.parametrize("write", [write_zip, write_parquet])
def test_a_packed_file_is_as_large_as_its_pixels_allow(
    write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_METADATA", 1000)
    image = Made(tmp_path).references(["a"]) / "a.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    write_png(image, noise)
    place = write(tmp_path / f"x.{write.__name__.partition('_')[2]}", {"a.png": image.read_bytes()})
    (sample,) = reference_folder(str(place), "x").samples
    assert sample.needed_reference.read().digest == source.FileSource(image).read().digest
    assert sample.needed_reference.probe().width == 64
    surplus = image.read_bytes() + noise.tobytes() * 4
    place = write(tmp_path / f"y{place.suffix}", {"a.png": surplus})
    assert "too many for its 64x64 pixels" in reading(place)
    monkeypatch.setenv("IQBENCH_MAX_PIXELS", "64")
    assert "too many for an image of the allowed size" in reading(place)


def test_a_local_archive_that_changes_is_noticed(tmp_path: Path) -> None:
    for write, suffix in ((write_zip, "zip"), (write_tar, "tar"), (write_parquet, "parquet")):
        place = tmp_path / f"x.{suffix}"
        write(place, {"a.png": b"first"})
        dataset = reference_folder(place, "x")
        write(place, {"a.png": b"second"})
        with pytest.raises(IqbenchError, match="was changed after it was listed"):
            dataset.samples[0].needed_reference.read()


@pytest.mark.parametrize("files", [{}, {".DS_Store": b"x", "__MACOSX/a.png": b"x"}], ids=str)
@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_an_archive_without_files_is_not_a_missing_one(write, files, tmp_path: Path) -> None:
    place = write(tmp_path / f"x.{write.__name__[-3:]}", files)
    assert f"{place} holds no files" in refusal(place)


def test_a_table_without_rows_is_not_a_missing_one(tmp_path: Path) -> None:
    place = write_parquet(tmp_path / "x.parquet", {})
    assert f"{place} holds no files" in refusal(place)


def test_missing_archives_are_missing_folders(tmp_path: Path) -> None:
    with pytest.raises(IqbenchError, match=r"x.zip does not exist"):
        reference_folder(tmp_path / "x.zip")
    with pytest.raises(IqbenchError, match=r"\*.tar does not exist"):
        reference_folder(tmp_path / "*.tar")
