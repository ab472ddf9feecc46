"""Hostile archives: zip and tar files that are damaged or made to do harm.

`run(seed, count)` makes that many archives and unpacks each. Either it is refused in a sentence
that names the archive, and nothing of it stays, or all that it brings are plain files below the
target. What a zip unpacks to has the content of the sound one, damaged or not: a zip has checksums.
Nothing else in the folder changes, and time and memory are bounded.
"""

from __future__ import annotations

import io
import random
import resource
import stat
import tarfile
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from iqbench.datasets.fetching.archives import Limits, unpack
from iqbench.errors import IqbenchError

__all__ = ["WRONG", "run"]

WRONG = ("crash", "escaped", "left", "changed", "unnamed", "slow", "large")
"""Outcomes that may not be. The others: ``refused`` and ``unpacked``."""

SECONDS = 10.0
MEMORY = 64 * 2**20
"""Bytes by which unpacking one may raise the most that this process ever took."""

LIMITS = Limits(bytes=8 * 2**20, files=200)
FILES = {"top/a.png": b"abc" * 300, "top/sub/b.png": b"b", "top/empty.txt": b""}
_NAMES = (
    *("../evil", "/evil", "top/../../evil", "top/..", "..", ".", "", "/", "//evil", "top//a.png"),
    *("C:/evil", "C:evil", "..\\evil", "\\\\host\\evil", "top/a.png", "top/A.PNG", "top/a.png/x"),
    *("top/a\nb", "top/\x1b[2J", "top/a\0b", "top/\u202ea", "x" * 300, "x/" * 3000 + "x", "~/x"),
    *("top/sub", "top", "con", "top/sub/", "./top/c.png", "é" * 120, "\udcff", "-rf", "$(id)"),
)
_TYPES = (
    *(tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE),
    *(tarfile.DIRTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE, tarfile.XHDTYPE, b"Z", b"\0"),
)
_MODES = (stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFDIR, stat.S_IFSOCK, 0o4777, 0)


def _zip(chance: random.Random, *, harm: bool) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, content in _content(chance, harm=harm):
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.compress_type = chance.choice(
                (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
            )
            if harm and chance.random() < 0.3:
                info.external_attr = (chance.choice(_MODES) | 0o777) << 16
            archive.writestr(info, content)
    return sink.getvalue()


def _tar(chance: random.Random, *, harm: bool) -> bytes:
    sink = io.BytesIO()
    form = chance.choice((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
    mode = chance.choice(("w", "w:gz", "w:bz2", "w:xz"))
    with tarfile.open(fileobj=sink, mode=mode, format=form) as archive:
        for name, content in _content(chance, harm=harm):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            if harm and chance.random() < 0.3:
                info.type = chance.choice(_TYPES)
                info.linkname = chance.choice(("/etc/passwd", "../outside", "top/a.png", "x" * 500))
                if info.type not in (tarfile.CONTTYPE, tarfile.XHDTYPE, b"\0"):
                    info.size = 0  # so that the content is not written
            if harm and chance.random() < 0.1:
                info.pax_headers = {
                    chance.choice(("path", "size", "GNU.sparse.size", "a")): "9" * 9
                }
            archive.addfile(info, io.BytesIO(content))
    return sink.getvalue()


def _content(chance: random.Random, *, harm: bool) -> list[tuple[str, bytes]]:
    """Give the sound files; and, of what is to do harm, others among them."""
    files = list(FILES.items())
    if harm:
        for _ in range(chance.choice((0, 1, 1, 3))):
            name = chance.choice(_NAMES)
            files.insert(chance.randrange(len(files) + 1), (name, FILES["top/a.png"]))
        match chance.randrange(8):
            case 0:
                files.append(("top/bomb.bmp", bytes(chance.choice((2**20, 20 * 2**20)))))
            case 1:
                files += [(f"top/many/{number}", b"") for number in range(chance.choice((9, 900)))]
            case 2:
                files.append(files[0])
    return files


def _damaged(content: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.choice((1, 1, 4))):
        start = chance.randrange(len(content))
        stop = start + chance.choice((1, 1, 4, 64, 600))
        piece = chance.choice(
            (
                b"",
                chance.randbytes(stop - start),
                b"\0" * (stop - start),
                b"\xff" * (stop - start),
                content[start:stop] * 2,
                bytes([content[start] ^ 1 << chance.randrange(8)]) + content[start + 1 : stop],
            )
        )
        content = content[:start] + piece + content[stop:] or b"x"
    return content


def _unpacked(archive: Path, target: Path, *, checked: bool) -> tuple[str, str]:
    """Unpack an archive, and say what came of it and why."""
    started = time.process_time()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        count = unpack(archive, target, limits=LIMITS)
        problem = ""
    except IqbenchError as error:
        count, problem = 0, str(error)
    except Exception as error:  # whatever it is, it is a finding
        return "crash", f"{type(error).__name__}: {error}"[:300]
    taken = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    if time.process_time() - started > SECONDS:
        return "slow", f"{time.process_time() - started:.0f} s"
    if taken > MEMORY:
        return "large", f"{taken / 2**20:.0f} MiB"
    if problem:
        if target.exists():
            return "left", "something of it stays"
        return ("refused", "") if archive.name in problem else ("unnamed", problem)
    paths = [path for path in target.rglob("*") if not path.is_dir() or path.is_symlink()]
    if len(paths) != count or not all(stat.S_ISREG(path.lstat().st_mode) for path in paths):
        return "changed", f"{len(paths)} files are there, not {count} plain ones"
    sound = {*FILES.values(), bytes(2**20)}
    if checked and not all(path.read_bytes() in sound for path in paths):
        return "changed", "a file has other content"
    return "unpacked", ""


def run(
    seed: int, count: int, *, tell: Callable[[str], object] = lambda line: None
) -> Counter[str]:
    """Try hostile archives; see `campaign.Run`."""
    counts: Counter[str] = Counter()
    for number in range(count):
        chance = random.Random(f"{seed}/{number}")
        zipped = chance.random() < 0.5
        harm = chance.random() < 0.6
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # zipfile warns of a name that is there twice
                content = (_zip if zipped else _tar)(chance, harm=harm)
        except (ValueError, UnicodeError, tarfile.HeaderError):
            continue  # the library does not write such a name
        if not harm or chance.random() < 0.2:
            content = _damaged(content, chance)
        with tempfile.TemporaryDirectory(prefix="hostile-archives-") as name:
            folder = Path(name) / "below" / "folder"
            folder.mkdir(parents=True)
            archive = folder / f"archive.{'zip' if zipped else 'tar'}"
            archive.write_bytes(content)
            outcome, why = _unpacked(archive, folder / "target", checked=zipped)
            around = {path.name for part in (Path(name), folder.parent) for path in part.iterdir()}
            beside = {path.name for path in folder.iterdir()} - {archive.name, "target"}
            if around != {"below", "folder"} or beside or archive.read_bytes() != content:
                outcome, why = "escaped", f"{sorted(around)}, {sorted(beside)}"
        counts["tried"] += 1
        counts[outcome] += 1
        if outcome in WRONG:
            tell(f"{outcome}: seed {seed}, archive {number}: {why}")
    return counts
