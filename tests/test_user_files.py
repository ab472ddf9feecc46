"""Files that users name are written as a whole, and existing files are safe."""

from __future__ import annotations

import errno
import os
import re
import resource
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from iqbench.datasets.dataset import pairs_file
from iqbench.datasets.load import load_datasets
from iqbench.datasets.matlab.reading import read_numbers
from iqbench.datasets.opinions.tables import read_csv
from iqbench.degradation.kernel import read_kernel
from iqbench.errors import IqbenchError
from iqbench.images.source import FileSource
from iqbench.protocols.presets import load_presets
from iqbench.protocols.user import load_user_presets
from iqbench.results.opinion import read_opinion
from iqbench.user_files import expand_user, open_regular, why_no_file, write_file

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links, pipes and modes of POSIX")

OLD, NEW = b"old content\n", b"new\n"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_bytes(OLD)
    return path


def fail_with(number: int) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_new_file_has_the_mode_of_any_new_file(tmp_path: Path) -> None:
    write_file(tmp_path / "new", NEW)
    (tmp_path / "other").touch()
    assert (tmp_path / "new").read_bytes() == NEW
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_full_path_needs_no_working_folder(tmp_path: Path, monkeypatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    write_file(tmp_path / "new", NEW)
    assert (tmp_path / "new").read_bytes() == NEW
    monkeypatch.undo()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_an_old_file_keeps_its_mode(target: Path, mode: int) -> None:
    target.chmod(mode)
    write_file(target, NEW)
    assert target.read_bytes() == NEW
    assert stat.S_IMODE(target.stat().st_mode) == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_an_old_file_keeps_its_owner(target: Path) -> None:
    os.chown(target, 1234, 4321)
    write_file(target, NEW)
    assert (target.stat().st_uid, target.stat().st_gid) == (1234, 4321)
    assert target.read_bytes() == NEW


@pytest.mark.parametrize("steps", [1, 3])
def test_a_link_stays_and_its_target_is_written(target: Path, steps: int) -> None:
    (target.parent / "elsewhere").mkdir()
    link = target
    for step in range(steps):
        further = target.parent / "elsewhere" / f"link{step}"
        further.symlink_to(os.path.relpath(link, further.parent))
        link = further
    write_file(link, NEW)
    assert link.is_symlink()
    assert target.read_bytes() == NEW
    assert sorted(path.name for path in target.parent.iterdir()) == ["elsewhere", "table.csv"]


def test_a_link_to_a_file_that_is_not_there_yet_makes_it(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("made")
    write_file(tmp_path / "link", NEW)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "made").read_bytes() == NEW


def test_links_in_a_circle_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(IqbenchError, match=r"cannot write .*a: "):
        write_file(tmp_path / "a", NEW)


def test_all_names_of_a_file_with_several_show_the_new_content(target: Path) -> None:
    other = target.with_name("other")
    os.link(target, other)
    write_file(target, NEW)
    assert target.read_bytes() == other.read_bytes() == NEW
    assert target.samefile(other)


def test_a_fifo_is_written_to(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=write_file, args=(fifo, NEW * 100_000))
    writer.start()
    assert fifo.read_bytes() == NEW * 100_000
    writer.join()
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=write_file, args=(fifo, NEW * 100_000))
    writer.start()
    with fifo.open("rb") as file:
        assert file.read(4) == NEW
    writer.join()


def test_a_device_is_written_to_and_stays(tmp_path: Path) -> None:
    write_file(Path("/dev/null"), NEW)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    (tmp_path / "link").symlink_to("/dev/null")
    write_file(tmp_path / "link", NEW)
    assert (tmp_path / "link").is_symlink()


def run(code: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    lines = "from pathlib import Path\nfrom iqbench.user_files import write_file\n"
    command = [sys.executable, "-c", lines + code]
    return subprocess.run(command, check=True, capture_output=True, **options)


@pytest.mark.parametrize("place", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_is_written_to_in_order(tmp_path: Path, place: str) -> None:
    if not Path(place).exists():
        pytest.skip(f"no {place} here")
    code = f"print('before'); write_file(Path({place!r}), b'new\\n'); print('after')"
    assert run(code).stdout == b"before\nnew\nafter\n"
    file = tmp_path / "redirected"
    file.write_bytes(OLD)
    with file.open("ab") as stream:
        subprocess.run(
            [
                sys.executable,
                "-c",
                f"from pathlib import Path\nfrom iqbench.user_files import write_file\n{code}",
            ],
            check=True,
            stdout=stream,
        )
    assert file.read_bytes() == OLD + b"before\nnew\nafter\n"


def test_a_descriptor_that_is_closed_is_a_sentence() -> None:
    with pytest.raises(IqbenchError, match="cannot write /dev/fd/987: Bad file descriptor"):
        write_file(Path("/dev/fd/987"), NEW)


def test_a_process_substitution_is_written_to(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from iqbench.user_files import write_file; "
    code += "write_file(Path(sys.argv[1]), b'new\\n')"
    script = f'"{sys.executable}" -c "{code}" >(cat > copy); wait $!; sleep 0.2'
    subprocess.run(["bash", "-c", script], check=True, cwd=tmp_path)
    assert (tmp_path / "copy").read_bytes() == NEW


@pytest.mark.parametrize("where", ["replace", "fsync", "render"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    target: Path, monkeypatch: pytest.MonkeyPatch, where: str, number: int
) -> None:
    content = fail_with(number) if where == "render" else NEW
    if where != "render":
        monkeypatch.setattr(Path if where == "replace" else os, where, fail_with(number))
    with pytest.raises(IqbenchError, match=r"cannot write .*table\.csv: ") as caught:
        write_file(target, content)
    assert os.strerror(number) in str(caught.value)
    assert target.read_bytes() == OLD
    assert list(target.parent.iterdir()) == [target]


def test_an_interrupt_leaves_the_old_file_and_nothing_else(target: Path) -> None:
    def interrupt(file: IO[bytes]) -> None:
        file.write(NEW)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_file(target, interrupt)
    assert target.read_bytes() == OLD
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EPERM, errno.EROFS])
def test_files_that_cannot_be_replaced_are_written_in_place(
    target: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """As a file that is mounted into a container, or lies in another's folder."""
    monkeypatch.setattr(Path, "replace", fail_with(number))
    before = target.stat().st_ino
    write_file(target, NEW)
    assert target.read_bytes() == NEW
    assert target.stat().st_ino == before
    assert list(target.parent.iterdir()) == [target]


def test_a_disk_that_fills_while_a_file_is_written_in_place_costs_nothing(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.link(target, target.with_name("other"))
    failing = iter([fail_with(errno.ENOSPC)])
    real = os.fsync

    def fail_once(number: int) -> None:
        next(failing, real)(number)

    monkeypatch.setattr(os, "fsync", fail_once)
    with pytest.raises(IqbenchError, match="No space left"):
        write_file(target, NEW)
    assert target.read_bytes() == OLD


def test_a_limit_of_the_size_of_files_is_a_sentence(tmp_path: Path) -> None:
    code = (
        "import signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "try: write_file(Path('big'), bytes(10_000_000))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    limit = (1_000_000, 1_000_000)
    ran = run(
        code, cwd=tmp_path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    )
    assert ran.stdout.startswith(b"IqbenchError cannot write big: File too large")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
class TestPermissions:
    def test_a_file_that_is_write_protected_is_not_replaced(self, target: Path) -> None:
        target.chmod(0o444)
        with pytest.raises(IqbenchError, match="Permission denied"):
            write_file(target, NEW)
        assert target.read_bytes() == OLD

    def test_a_file_in_a_folder_that_is_write_protected_is_written(self, target: Path) -> None:
        target.parent.chmod(0o555)
        try:
            write_file(target, NEW)
        finally:
            target.parent.chmod(0o755)
        assert target.read_bytes() == NEW


@pytest.mark.parametrize("place", ["", "none/table.csv", "table.csv/inside"])
def test_a_path_that_cannot_be_a_file_gives_a_clear_error(target: Path, place: str) -> None:
    with pytest.raises(IqbenchError, match=r"cannot write .*"):
        write_file(target.parent / place, NEW)
    assert target.read_bytes() == OLD


def test_only_regular_files_are_opened(tmp_path: Path, target: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("table.csv")
    with open_regular(tmp_path / "link") as file:
        assert file.read() == OLD
    for path in (tmp_path / "fifo", tmp_path, Path("/dev/null")):
        with pytest.raises(IqbenchError, match="not a regular file"):
            open_regular(path)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "none")


def test_the_home_folder_of_an_unknown_user_gives_a_clear_error() -> None:
    assert expand_user(Path("~")) == Path.home()
    with pytest.raises(IqbenchError, match="home folder of a user who is not known"):
        expand_user(Path("~no-such-user-here/x"))


@pytest.mark.parametrize("path", ["x" * 5000, "a\0b", "\ud800"])
def test_what_no_path_can_be_is_a_sentence_that_is_not_long(path: str) -> None:
    with pytest.raises(IqbenchError, match="cannot be used as a path: ") as caught:
        expand_user(path)
    assert len(str(caught.value)) < 400


def test_no_path_is_not_the_working_folder() -> None:
    assert expand_user(".") == Path()
    with pytest.raises(IqbenchError, match=r"a path is empty. Write \. for the working folder"):
        expand_user("")


def test_what_a_path_is_if_no_regular_file(tmp_path: Path, target: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("table.csv")
    (tmp_path / "dead").symlink_to("none")
    pipe = "is a pipe or a device, not a regular file"
    said = {
        "table.csv": "",
        "link": "",
        "": "is a folder, not a file",
        "fifo": pipe,
        "/dev/null": pipe,
        "dead": "is a link that leads nowhere",
        "none": "does not exist",
    }
    assert {name: why_no_file(tmp_path / name) for name in said} == said


def test_a_fifo_waits_for_its_reader(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=write_file, args=(fifo, NEW * 100_000))
    writer.start()
    time.sleep(0.2)
    assert fifo.read_bytes() == NEW * 100_000
    writer.join()


def test_a_fifo_without_a_reader_gives_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iqbench.user_files._READER_SECONDS", 0.1)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(IqbenchError, match=r"cannot write .*fifo: nobody reads this pipe"):
        write_file(tmp_path / "fifo", NEW)


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "datasets": ("x.yaml", load_datasets),
    "protocols": ("x.yaml", lambda path: load_user_presets(path, [])),
    "pairs": ("x.csv", pairs_file),
    "opinions": ("x.csv", lambda path: read_opinion(path, {})),
    "opinions in Parquet": ("x.parquet", lambda path: read_opinion(path, {})),
    "opinions of a dataset": ("x.csv", lambda path: read_csv(path, ("a",))),
    "MATLAB": ("x.mat", lambda path: read_numbers(path, ["a"])),
    "kernel": ("x.txt", read_kernel),
    "kernel in numpy": ("x.npy", read_kernel),
    "kernel in an image": ("x.png", read_kernel),
    "image": ("x.png", lambda path: FileSource(path).read()),
    "header of an image": ("x.png", lambda path: FileSource(path).probe()),
}


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("what", ["pipe", "link to a device", "folder", "dead link"])
def test_whatever_is_read_must_be_a_regular_file(tmp_path: Path, kind: str, what: str) -> None:
    name, read = READERS[kind]
    path = tmp_path / name
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero" if what == "link to a device" else "none")
    with pytest.raises(IqbenchError, match=re.escape(str(path))):
        read(path)


@pytest.mark.parametrize("name", ["datasets.yaml", "protocols.yaml"])
def test_a_settings_file_that_cannot_be_read_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).symlink_to("none")
    with pytest.raises(IqbenchError, match=f"{name}.* was read because it lies in the working"):
        load_datasets() if name == "datasets.yaml" else load_presets()
