"""Files at addresses with finished scores are not downloaded again, and never confused."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_archives import files_below, write_parquet, write_zip
from made_folders import IMAGES, Made, noisy, picture
from made_server import TagServer, running_server
from made_sets import write
from PIL import Image

from iqbench.api import Evaluation
from iqbench.blobs import cache, retries
from iqbench.datasets.storage.stored_file import StoredFile
from iqbench.engine.ledger import Ledger, Summary
from iqbench.errors import IqbenchError
from iqbench.images.source import EncodedImage
from iqbench.rescoring import rescore
from iqbench.results.read import load_images, load_scores

pytest.importorskip("aiohttp")

PROCESSES = pytest.param(
    "processes:2",
    marks=[
        pytest.mark.slow,
        pytest.mark.skipif(os.name != "posix", reason="processes are for POSIX systems"),
    ],
)
RAY = pytest.param("ray:local", marks=[pytest.mark.ray, pytest.mark.filterwarnings("ignore")])


@pytest.fixture(autouse=True)
def _own_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IQBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("IQBENCH_STORAGE_CACHE", raising=False)
    monkeypatch.delenv("IQBENCH_STORAGE_DIGESTS", raising=False)
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.0)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TagServer]:
    with running_server(tmp_path) as found:
        yield found


class Remote(Made):
    """References and outputs that a server serves; each run starts with no block of any file."""

    def __init__(self, root: Path, server: TagServer) -> None:
        super().__init__(root)
        self.server = server
        self.references()
        self.method()

    def run(self, *methods: str, **options: Any) -> Summary:
        shutil.rmtree(self.root / "cache/storage", ignore_errors=True)
        cache._opened.cache_clear()
        self.server.downloaded.clear()
        options.setdefault("reference", f"{self.server.address}/hr")
        given = [self.address(one) for one in methods or ("mine",)]
        return self.evaluate(*given, dataset_name="x", **options)

    def address(self, method: str) -> str:
        return f"{method}={self.server.address}/out/{method}"

    @property
    def downloaded(self) -> list[str]:
        return sorted(self.server.downloaded)

    def tables(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        return load_scores(self.results), load_images(self.results)


@pytest.fixture
def remote(tmp_path: Path, server: TagServer) -> Remote:
    return Remote(tmp_path, server)


def same(one: tuple[pd.DataFrame, ...], other: tuple[pd.DataFrame, ...]) -> None:
    """See that tables are equal, but for the moments at which their parts were written."""
    for left, right in zip(one, other, strict=True):
        pd.testing.assert_frame_equal(
            left.drop(columns="written", errors="ignore"),
            right.drop(columns="written", errors="ignore"),
        )


ALL = sorted(f"{folder}/{image}.png" for folder in ("hr", "out/mine") for image in IMAGES)


@pytest.mark.parametrize("executor", ["inline", PROCESSES, RAY])
def test_a_run_whose_scores_are_finished_downloads_nothing(executor: str, remote: Remote) -> None:
    assert remote.run(executor=executor).scored == 3
    assert set(remote.downloaded) == set(ALL)
    before = remote.tables()
    summary = remote.run(executor=executor)
    assert (summary.scored, summary.current, summary.warnings) == (0, 3, [])
    assert remote.downloaded == []
    same(remote.tables(), before)


def test_tables_are_those_without_the_store(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.run()
    remote.run()
    kept = remote.tables()
    monkeypatch.setenv("IQBENCH_STORAGE_DIGESTS", "0")
    remote.results = remote.root / "without"
    remote.run()
    remote.run()
    assert remote.downloaded == ALL
    same(remote.tables(), kept)


@pytest.mark.parametrize("variable", ["IQBENCH_STORAGE_DIGESTS", "IQBENCH_STORAGE_CACHE"])
def test_nothing_is_kept_where_the_user_says_so(
    variable: str, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "0")
    remote.run()
    assert not (remote.root / "cache/digests").exists()


@pytest.mark.parametrize(
    ("executor", "file"),
    [
        ("inline", "hr/b.bmp"),
        ("inline", "out/mine/b.bmp"),
        pytest.param("processes:2", "hr/b.bmp", marks=PROCESSES.marks),
    ],
)
def test_a_file_that_changed_is_scored_again_though_its_size_is_the_same(
    executor: str, file: str, remote: Remote
) -> None:
    for folder, pixels in (("hr", picture(1)), ("out/mine", noisy(picture(1)))):
        (remote.root / folder / "b.png").unlink()
        write_bmp(remote.root / folder / "b.bmp", pixels)
    remote.run(executor=executor)
    changed = remote.root / file
    size = changed.stat().st_size
    write_bmp(changed, noisy(picture(1), 77))
    assert changed.stat().st_size == size
    summary = remote.run(executor=executor)
    assert (summary.scored, summary.current) == (1, 2)
    assert set(remote.downloaded) == {"hr/b.bmp", "out/mine/b.bmp"}
    found = remote.values()
    remote.results = remote.root / "local"
    remote.evaluate(dataset_name="x")
    assert found == remote.values()


def write_bmp(path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(path)


def test_a_new_method_downloads_its_outputs_and_the_references_only(remote: Remote) -> None:
    remote.run("mine")
    remote.method("other")
    assert remote.run("mine", "other").scored == 3
    there = [name for name in ALL if name.startswith("hr/")]
    assert set(remote.downloaded) == {*there, *(f"out/other/{image}.png" for image in IMAGES)}


def test_a_new_metric_reads_the_files_again_and_gives_the_values_of_local_ones(
    remote: Remote,
) -> None:
    remote.run(metrics=("psnr",))
    remote.run(metrics=("psnr", "ssim"))
    assert set(remote.downloaded) == set(ALL)
    found = remote.values("ssim")
    remote.results = remote.root / "local"
    remote.evaluate(dataset_name="x", metrics=("psnr", "ssim"))
    assert remote.values("ssim") == found


@pytest.mark.parametrize("side", ["hr", "out/mine"])
def test_a_known_file_that_cannot_be_read_any_more_is_the_error_of_its_image(
    side: str, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.run()
    read = StoredFile.read

    def broken(self: StoredFile) -> EncodedImage:
        if self.name.endswith(f"{side}/b.png"):
            raise IqbenchError(f"{self.name} is broken")
        return read(self)

    monkeypatch.setattr(StoredFile, "read", broken)
    summary = remote.run(metrics=("psnr", "ssim"))
    (failure,) = summary.failures
    assert (failure.image, summary.scored) == ("b", 2)
    assert f"{side}/b.png is broken" in failure.error
    assert ("mine", "b") not in {key for key, value in remote.values("ssim").items() if value}


@pytest.mark.parametrize("tag", ["", 'W/"weak"'])
def test_files_without_a_tag_are_read_in_every_run(tag: str, remote: Remote) -> None:
    downloads = []
    remote.server.tag = lambda path: downloads.append(path) or tag
    remote.run()
    assert not list((remote.root / "cache").glob("digests/*"))
    downloads.clear()
    assert remote.run().current == 3
    assert {path.name for path in downloads} == {f"{image}.png" for image in IMAGES}


def test_a_tag_that_each_listing_changes_is_never_found_again(remote: Remote) -> None:
    for number in ("first", "second"):
        remote.server.tag = partial('"{1.name}-{0}"'.format, number)
        remote.run()
        assert set(remote.downloaded) == set(ALL)


class TestATagThatStays:
    """A server that gives changed files the tag of before cannot be seen through, only survived."""

    @pytest.fixture(autouse=True)
    def _changed(self, remote: Remote) -> None:
        remote.server.tag = lambda path: f'"{path.name}"'
        for image, pixels in (("a", picture(0)), ("b", picture(1)), ("c", picture(2))):
            (remote.root / f"hr/{image}.png").unlink()
            write_bmp(remote.root / f"hr/{image}.bmp", pixels)
        remote.run()
        write_bmp(remote.root / "hr/b.bmp", picture(9))

    def truth(self, remote: Remote, metric: str) -> dict[tuple[str, str], float]:
        results, remote.results = remote.results, remote.root / "local"
        remote.evaluate(dataset_name="x", metrics=("psnr", "ssim"))
        found = remote.values(metric)
        remote.results = results
        return found

    def test_its_new_values_are_of_the_bytes_that_were_read(self, remote: Remote) -> None:
        summary = remote.run(metrics=("psnr", "ssim"))
        for metric in ("psnr", "ssim"):
            assert remote.values(metric) == self.truth(remote, metric)
        (warning,) = summary.warnings
        assert warning.startswith(f"the bytes of {remote.server.address}/hr/b.bmp changed, but not")

    def test_recompute_reads_everything_and_the_next_run_knows(self, remote: Remote) -> None:
        assert remote.run().current == 3
        assert len(remote.run(recompute=True).warnings) == 1
        assert remote.values() == self.truth(remote, "psnr")
        before = remote.tables()
        assert (remote.run().warnings, remote.downloaded) == ([], [])
        same(remote.tables(), before)

    def test_scoring_again_to_verify_does_not_trust_it(self, remote: Remote) -> None:
        cache._opened.cache_clear()
        shutil.rmtree(remote.root / "cache/storage")
        evaluation = Evaluation(
            methods=[remote.address("mine")],
            reference=f"{remote.server.address}/hr",
            dataset_name="x",
            device="cpu",
        )
        found = rescore(remote.results, evaluation)
        assert [(one.image, one.state) for one in found.wrong] == [("b", "other files")]


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"not a database, though it is a file of some length" * 99),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: path.write_bytes(path.read_bytes().replace(b'"png",24', b'"png",25')),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
    ],
)
def test_a_damaged_store_costs_downloads_only(damage: Any, remote: Remote) -> None:
    remote.run()
    before = remote.tables()
    path = only_store(remote)
    sound = path.read_bytes()
    damage(path)
    was_damaged = path.exists() and path.stat().st_size > 0
    assert not path.exists() or path.read_bytes() != sound
    summary = remote.run()
    assert summary.current == 3
    assert set(remote.downloaded) == set(ALL)
    assert len(summary.warnings) == was_damaged
    assert all(f"{path} were damaged, and are deleted" in one for one in summary.warnings)
    same(remote.tables(), before)
    assert (remote.run().warnings, remote.downloaded) == ([], [])


def only_store(remote: Remote) -> Path:
    (path,) = (remote.root / "cache/digests").iterdir()
    return path


def test_a_store_that_cannot_be_written_is_said_and_costs_downloads_only(remote: Remote) -> None:
    (remote.root / "cache").mkdir()
    (remote.root / "cache/digests").write_bytes(b"")
    for _ in range(2):
        summary = remote.run()
        (warning,) = summary.warnings
        assert "cache/digests/" in warning
        assert "cannot be used" in warning
        assert "IQBENCH_STORAGE_DIGESTS=0" in warning
        assert set(remote.downloaded) == set(ALL)
    assert summary.current == 3


@pytest.mark.parametrize("pack", [write_zip, write_parquet])
def test_members_of_archives_are_known(
    pack: Any, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = pack.__name__[6:]
    for folder in ("hr", "out/mine"):
        pack(remote.root / f"{folder.rpartition('/')[2]}.{kind}", files_below(remote.root / folder))
    where = {"reference": f"{remote.server.address}/hr.{kind}"}
    loads: list[str] = []
    listen_to_loads(monkeypatch, loads)
    outputs = f"mine={remote.server.address}/mine.{kind}"
    remote.evaluate(outputs, dataset_name="x", **where)
    assert len(loads) >= 6
    loads.clear()
    assert remote.evaluate(outputs, dataset_name="x", **where).current == 3
    assert loads == []


def listen_to_loads(monkeypatch: pytest.MonkeyPatch, loads: list[str]) -> None:
    load = StoredFile.load

    def listen(self: StoredFile) -> bytes:
        loads.append(self.name)
        return load(self)

    monkeypatch.setattr(StoredFile, "load", listen)


def test_local_files_are_read_in_every_run(remote: Remote) -> None:
    remote.evaluate(dataset_name="x")
    path = remote.root / "out/mine/b.png"
    facts = path.stat()
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (facts.st_size, facts.st_mtime_ns)
    assert remote.evaluate(dataset_name="x").current == 2
    assert not (remote.root / "cache/digests").exists()


def test_bitstreams_are_known_too_and_a_changed_one_is_counted(remote: Remote) -> None:
    folder = remote.root / "out/mine/bitstreams"
    folder.mkdir()
    for number, image in enumerate(IMAGES):
        (folder / f"{image}.bin").write_bytes(bytes(100 + number))
    remote.run(metrics=("psnr", "bpp"))
    assert any(name.endswith("a.bin") for name in remote.downloaded)
    remote.run(metrics=("psnr", "bpp"))
    assert remote.downloaded == []
    before = remote.values("bpp")
    (folder / "a.bin").write_bytes(bytes(200))
    assert remote.run(metrics=("psnr", "bpp")).scored == 1
    after = remote.values("bpp")
    assert after["mine", "a"] == 2 * before["mine", "a"]
    assert after["mine", "b"] == before["mine", "b"]


def test_a_reference_set_is_known_too(extracted: list[Any], remote: Remote) -> None:
    for number in range(4):
        write(remote.root / "photos", f"{number}.png", number)
    options: dict[str, Any] = {
        "reference": None,
        "reference_set": f"{remote.server.address}/photos",
        "metrics": ("fid",),
    }
    remote.run(**options)
    assert "photos/3.png" in remote.downloaded
    found = load_scores(remote.results, scope="set")
    remote.run(**options)
    assert remote.downloaded == []
    pd.testing.assert_frame_equal(load_scores(remote.results, scope="set"), found)
    write(remote.root / "photos", "3.png", 33)
    remote.run(**options)
    assert remote.downloaded.count("photos/0.png") == 0
    assert "photos/3.png" in remote.downloaded
    values = load_scores(remote.results, scope="set")["value"]
    assert len(set(values)) == 2


def test_files_of_a_template_that_finds_them_no_more_are_known(remote: Remote) -> None:
    remote.run(output_name="{id}.png")
    for image in IMAGES:
        (remote.root / f"out/mine/{image}.png").rename(remote.root / f"out/mine/{image}_v2.png")
    remote.run(output_name="{id}.png")
    assert any(name.endswith("_v2.png") for name in remote.downloaded)
    remote.run(output_name="{id}.png")
    assert remote.downloaded == []


def test_what_a_killed_run_read_is_known(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    keep = Ledger.score
    entered: list[object] = []

    def interrupted(self: Ledger, output: Any, outcomes: Any) -> None:
        keep(self, output, outcomes)
        entered.append(output)
        if len(entered) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Ledger, "score", interrupted)
    with pytest.raises(KeyboardInterrupt):
        remote.run()
    monkeypatch.setattr(Ledger, "score", keep)
    known = remote.values()
    assert known
    summary = remote.run()
    assert (summary.current, summary.scored) == (len(known), 3 - len(known))
    assert not {f"out/mine/{image}.png" for _, image in known} & set(remote.downloaded)
