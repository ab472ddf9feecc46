"""Results at an address are read and written like a folder, as a whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from made_folders import Made

import iqbench
from iqbench.blobs import retries
from iqbench.cli.main import main
from iqbench.errors import IqbenchError
from iqbench.results import mirror
from iqbench.results.mirror import address_of, local_results, written_results
from iqbench.results.read import load_scores

ADDRESS = "memory://bucket/results"


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    monkeypatch.setenv("IQBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.0)
    (tmp_path / "copies").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "copies"))
    monkeypatch.setattr(mirror, "_COPIES", {})
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()
    yield filesystem
    filesystem.store.clear()


@pytest.fixture
def made(tmp_path: Path) -> Made:
    made = Made(tmp_path)
    made.references()
    made.method("one")
    made.method("two")
    return made


def command(*arguments: object) -> int:
    with pytest.raises(SystemExit) as leaving:
        main([str(argument) for argument in arguments])
    return int(leaving.value.code or 0)


def test_a_run_writes_and_goes_on_at_an_address(made: Made, memory: Any) -> None:
    made.evaluate()
    expected = load_scores(made.results)
    assert made.evaluate(results=ADDRESS).scored == 6
    scores = load_scores(ADDRESS)
    assert list(scores["value"]) == list(expected["value"])
    assert made.evaluate(results=ADDRESS).current == 6
    made.method("three")
    assert made.evaluate(results=ADDRESS).scored == 3
    assert len(load_scores(ADDRESS)) == 9
    names = memory.find("/bucket/results")
    assert {name.split("/")[3] for name in names} <= {"images", "runs", "scores"}
    assert not [name for name in names if "/." in name]


def test_every_reader_takes_an_address(
    made: Made, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    made.evaluate()
    made.evaluate(results=ADDRESS)
    board = iqbench.leaderboard(ADDRESS).table.frame
    assert board.equals(iqbench.leaderboard(made.results).table.frame)
    assert iqbench.check(ADDRESS, baseline=ADDRESS).passed
    assert len(iqbench.compare(ADDRESS, ADDRESS).rows)
    for arguments in (
        ("leaderboard",),
        ("check", "--baseline", ADDRESS),
        ("export", "-o", tmp_path / "scores.csv"),
        ("report", "-o", tmp_path / "report.html", "--no-pictures"),
        ("correlate",),
        ("results", "list"),
        ("results", "verify"),
    ):
        name, *options = arguments
        place = [options.pop(0), ADDRESS] if name == "results" else [ADDRESS]
        assert command(name, *place, *options) in (0, 2 if name == "correlate" else 0), arguments
    assert command("compare", "one", "two", "--results", ADDRESS) == 0
    capsys.readouterr()


def test_a_site_takes_what_is_known_of_methods_from_the_address(
    made: Made, memory: Any, tmp_path: Path
) -> None:
    made.evaluate(results=ADDRESS)
    facts = b"one: {date: 2017-07-10, paper: https://example.org/one}\n"
    memory.pipe("/bucket/results/methods.yaml", facts)
    assert command("site", ADDRESS, "-o", tmp_path / "public") == 0
    page = (tmp_path / "public/index.html").read_text(encoding="utf-8")
    assert "https://example.org/one" in page
    assert memory.cat("/bucket/results/methods.yaml") == facts


def test_errors_name_the_address(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("leaderboard", "memory://bucket/none") == 2
    assert "there are no results in memory://bucket/none" in capsys.readouterr().err


@pytest.mark.parametrize(
    "read",
    [
        load_scores,
        iqbench.leaderboard,
        iqbench.correlate,
        lambda place: iqbench.check(place, baseline=place),
        lambda place: iqbench.compare(place, place),
    ],
)
def test_errors_in_python_name_the_address(read: Any) -> None:
    with pytest.raises(IqbenchError, match=r"no results in memory://bucket/none\b"):
        read("memory://bucket/none")


@pytest.mark.parametrize("protocol", ["file", "FILE", "local"])
def test_a_file_protocol_is_a_folder_of_this_machine(
    protocol: str, made: Made, tmp_path: Path
) -> None:
    place = f"{protocol}://{tmp_path}/results"
    for names in (("one",), ("one", "two")):
        scores = iqbench.evaluate(
            methods=[f"{tmp_path}/out/{name}" for name in names],
            reference=f"{protocol}://{tmp_path}/hr",
            metrics="psnr",
            results=place,
        )
        assert len(scores) == 3 * len(names)
    assert load_scores(tmp_path / "results").equals(load_scores(place))
    assert command("results", "remove", "one", place) == 0
    assert set(load_scores(place)["method"]) == {"two"}


def test_imports_and_merges_are_written_to_addresses(made: Made, tmp_path: Path) -> None:
    made.evaluate(made.root / "out/one")
    made.evaluate(made.root / "out/two", results=ADDRESS)
    (tmp_path / "costs.csv").write_text("method,params\ntwo,12\n")
    assert command("import", tmp_path / "costs.csv", "--dataset", "hr", "--results", ADDRESS) == 0
    assert len(load_scores(ADDRESS, scope="set")) == 1
    merged = "memory://bucket/merged"
    assert command("results", "merge", made.results, ADDRESS, "-o", merged) == 0
    assert set(load_scores(merged)["method"]) == {"one", "two"}
    assert command("results", "merge", made.results, ADDRESS, "-o", merged) == 2


@pytest.mark.parametrize("change", [("rename", "one", "uno"), ("remove", "one"), ("compact",)])
def test_changes_of_a_whole_folder_are_refused(
    change: tuple[str, ...], made: Made, memory: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    made.evaluate(results=ADDRESS)
    before = dict.fromkeys(memory.find("/bucket"))
    assert command("results", *change, ADDRESS) == 2
    assert "results at an address are not changed as a whole" in capsys.readouterr().err
    assert dict.fromkeys(memory.find("/bucket")) == before


def test_a_baseline_at_an_address_is_not_updated(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    made.evaluate(results=ADDRESS)
    assert command("check", ADDRESS, "--baseline", ADDRESS, "--update") == 2
    assert f"the baseline {ADDRESS} is not updated" in capsys.readouterr().err


def test_new_parts_are_uploaded_while_the_run_goes_on(
    memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "_SECONDS", 0.01)
    with written_results(ADDRESS) as folder:
        assert address_of(folder) == ADDRESS
        (folder / "scores").mkdir()
        (folder / "scores/.hidden.tmp").write_bytes(b"half")
        (folder / "scores/part").write_bytes(b"whole")
        for _ in range(500):
            if memory.exists("/bucket/results/scores/part"):
                break
            mirror.Event().wait(0.01)
        assert memory.cat_file("/bucket/results/scores/part") == b"whole"
        assert not memory.exists("/bucket/results/scores/.hidden.tmp")
        assert not memory.exists("/bucket/results/scores/other")
    assert not folder.exists()


def test_a_part_replaces_others_only_once_it_is_there(
    memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with written_results(ADDRESS) as folder:
        (folder / "scores").mkdir()
        for name in "ab":
            (folder / "scores" / name).write_bytes(name.encode())
    listings: list[set[str]] = []
    monkeypatch.setattr(MemoryFileSystem, "rm_file", recorded(listings, MemoryFileSystem.rm_file))
    with written_results(ADDRESS) as folder:
        (folder / "scores/merged").write_bytes(b"ab")
        for name in "ab":
            (folder / "scores" / name).unlink()
    assert [names & {"merged"} for names in listings] == [{"merged"}, {"merged"}]
    assert [path.rpartition("/")[2] for path in memory.find("/bucket")] == ["merged"]


def recorded(listings: list[set[str]], call: Any) -> Any:
    def inner(self: Any, path: str) -> None:
        listings.append({name.rpartition("/")[2] for name in self.find("/bucket")})
        call(self, path)

    return inner


def test_changes_of_others_in_the_meantime_are_kept(memory: Any) -> None:
    with written_results(ADDRESS) as mine:
        (mine / "scores").mkdir()
        (mine / "scores/a").write_bytes(b"a")
    with written_results(ADDRESS) as mine:
        with written_results(ADDRESS) as other:
            (other / "scores/ab").write_bytes(b"ab")
            (other / "scores/a").unlink()
        (mine / "scores/c").write_bytes(b"c")
    names = {path.rpartition("/")[2] for path in memory.find("/bucket")}
    assert names == {"ab", "c"}


def test_nothing_is_lost_where_uploads_fail(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("the disk of the server is full")

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", refuse)
    with pytest.raises(IqbenchError, match="not all results could be uploaded") as caught:
        made.evaluate(results=ADDRESS)
    assert "the disk of the server is full" in str(caught.value)
    folder = Path(str(caught.value).partition("They are in ")[2].partition(". Copy")[0])
    assert len(load_scores(folder)) == 6


def test_a_run_that_is_interrupted_leaves_what_it_scored(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopping:
        """A reporter that ends the run after some outputs."""

        def begin(self, what: str, total: int) -> None:
            self.done = 0

        def advance(self, done: int) -> None:
            self.done += done
            if self.done >= 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made.evaluate(results=ADDRESS, reporter=Stopping())
    kept = load_scores(ADDRESS)
    assert 2 <= kept["value"].notna().sum() < 6
    assert made.evaluate(results=ADDRESS).scored + kept["value"].notna().sum() == 6


def test_a_copy_follows_the_address(memory: Any) -> None:
    memory.pipe("/bucket/results/scores/a", b"1")
    memory.pipe("/bucket/results/outputs/x.png", b"not a table")
    folder = local_results(ADDRESS)
    assert str(folder).endswith("memory/bucket/results")
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["a"]
    memory.pipe("/bucket/results/scores/b", b"2")
    memory.rm("/bucket/results/scores/a")
    assert local_results(ADDRESS) == folder
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["b"]


@pytest.mark.parametrize("name", ["scores/../../x", "scores/.../x", "scores/a\\b"])
def test_names_that_lead_out_of_the_copy_are_refused(name: str, memory: Any) -> None:
    memory.store.clear()
    listed = {name: mirror.RemoteObject(f"{ADDRESS}/{name}", 1, "1")}
    memory.pipe("/bucket/results/scores/a", b"1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mirror._Mirror, "_listed", lambda self: listed)
        patch.setattr(mirror.RemoteObject, "read", lambda self, start, stop: b"x")
        with pytest.raises(IqbenchError, match="is not a name of a file"):
            local_results("memory://bucket/results/")


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_check_of_parts_names_the_address_not_its_copy(
    made: Made, capsys: Any, form: str
) -> None:
    made.evaluate(results=ADDRESS)
    assert command("results", "verify", ADDRESS, "--format", form) == 0
    said = capsys.readouterr().out
    assert ADDRESS in said
    assert tempfile.gettempdir() not in said
