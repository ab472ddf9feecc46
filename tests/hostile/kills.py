"""Runs of `iqbench evaluate` that are killed at random moments, and what they leave.

`run(seed, count)` hits that many runs over small images with a signal, most of them with SIGKILL;
some run alone, some side by side in one results folder. A signal that comes after the end of a run
does not count. After each one:

- everything that was written before is there, and, if the signal was not SIGKILL, all that was
  scored; no value differs from that of an undisturbed run, and none is there twice;
- the same command goes on from there, and its tables equal those of an undisturbed run.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from children import Child, Ended, problem
from PIL import Image

from iqbench.cli.main import main
from iqbench.results import store
from iqbench.results.read import load_images, load_scores

__all__ = ["KEY", "WRONG", "differences", "loss", "run"]

WRONG = ("wrong",)
"""Outcomes that may not be. The others: ``killed`` and ``interrupted``, with nothing wrong."""

GENTLE = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
INTERRUPTED = 130
KEY = ["dataset", "method", "image", "metric", "signature"]
METRICS = ("ssim", "tv-ratio", "tv-residual", "gmsd", "ms-ssim")
"""Beside PSNR, which has a value on images that are too small for others: no run ends with 3."""
KILLS = 10  # of each set of images


def evaluate(words: list[str], log: str, flush_seconds: float, flush_rows: int) -> None:
    """Run the command; write into a log what was scored and what was flushed."""
    store.FLUSH_SECONDS, store.FLUSH_ROWS = flush_seconds, flush_rows
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    add, flush = store.Writer.add_scores, store.Writer.flush

    def tell(line: object) -> None:
        os.write(file, f"{json.dumps(line)}\n".encode())

    def add_scores(self: store.Writer, rows: Iterable[store.ScoreRow]) -> None:
        kept = list(rows)
        add(self, kept)
        tell([[getattr(row, name) for name in KEY] for row in kept])

    def flush_and_tell(self: store.Writer) -> None:
        flush(self)
        tell("flushed")

    store.Writer.add_scores = add_scores  # type: ignore[method-assign]
    store.Writer.flush = flush_and_tell  # type: ignore[method-assign]
    main(words)


class _Images:
    """A set of images, and the tables of an undisturbed run over it."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder = folder
        random_pixels = np.random.default_rng(chance.randrange(2**32))
        methods = [f"m{number}" for number in range(chance.randint(1, 3))]
        for number in range(chance.randint(4, 16)):
            shape = (chance.randint(8, 32), chance.randint(8, 32), 3)
            for place in ("hr", *methods):
                file = folder / place / f"{number}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(random_pixels.integers(0, 256, shape, np.uint8)).save(file)
        self.metrics = ["psnr", *chance.sample(METRICS, chance.randint(1, 4))]
        child = self.start(folder / "sound", folder / "log")
        ended = child.wait()
        self.seconds = time.monotonic() - child.started
        if ended.code != 0:
            raise RuntimeError(f"the undisturbed run fails: {ended}")
        self.scores, self.images = _tables(folder / "sound")

    def start(
        self, results: Path, log: Path, *, seconds: float = 30.0, rows: int = 100_000
    ) -> Child:
        """Start a run that writes into a results folder."""
        words = ["evaluate", "--reference", str(self.folder / "hr"), "--results", str(results)]
        for method in sorted(self.folder.glob("m?")):
            words += ["--method", str(method)]
        for metric in self.metrics:
            words += ["--metric", metric]
        return Child(evaluate, words, str(log), seconds, rows)


def _tables(results: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read scores and images with plain types, sorted."""
    scores, images = load_scores(results), load_images(results)
    return (
        scores.astype(object).sort_values(KEY, ignore_index=True),
        images.drop(columns="written").sort_values(KEY[:3], ignore_index=True),
    )


def _logged(log: Path) -> tuple[set[tuple[str, ...]], set[tuple[str, ...]]]:
    """Return which values were scored, and which of them were flushed."""
    scored: set[tuple[str, ...]] = set()
    flushed: set[tuple[str, ...]] = set()
    for line in log.read_text().splitlines() if log.exists() else []:
        entry = json.loads(line)
        if entry == "flushed":
            flushed = set(scored)
        else:
            scored.update(map(tuple, entry))
    return scored, flushed


def differences(found: pd.DataFrame, sound: pd.DataFrame, *, whole: bool) -> str:
    """Say how a table of scores differs from the sound one, or from a part of it."""
    if found.duplicated(KEY).any():
        return "a value is there twice"
    if whole and len(found) != len(sound):
        return f"{len(found)} rows, not {len(sound)}"
    both = found.merge(sound, on=KEY, how="left", suffixes=("", " sound"), indicator=True)
    if (both["_merge"] != "both").any():
        return "a value is there that no run computes"
    for column in ("value", "error", "protocol"):
        one, other = both[column], both[f"{column} sound"]
        if not ((one == other) | (one.isna() & other.isna())).all():
            return f"column {column} has other values"
    return ""


class _Hit(NamedTuple):
    """A run, the signal that it gets, and where it logs."""

    child: Child
    number: int
    log: Path


def loss(ended: Ended, results: Path, log: Path) -> str:
    """Say what a run lost: what it had flushed, or scored if it was interrupted, must be there."""
    scored, flushed = _logged(log)
    must = scored if ended.code == INTERRUPTED else flushed
    if ended.code == INTERRUPTED and "error: interrupted" not in ended.stderr:
        return f"says nothing of the interruption: {ended.stderr!r}"
    lost = must - set(_read(results)[KEY].itertuples(index=False, name=None))
    return f"{len(lost)} of {len(must)} values are lost" if lost else ""


def _read(results: Path) -> pd.DataFrame:
    """Read the scores; none where nothing was written yet."""
    if not any(results.glob("scores/*/*/*.parquet")):
        return pd.DataFrame(columns=[*KEY, "value", "error", "protocol"])
    return _tables(results)[0]


def _after_kill(made: _Images, results: Path, hit: _Hit, ended: Ended) -> str:
    """Say what is wrong with what a run left when a signal came."""
    return (
        problem(ended, codes=(0, INTERRUPTED, -hit.number))
        or loss(ended, results, hit.log)
        or differences(_read(results), made.scores, whole=False)
    )


def _resumed(made: _Images, results: Path, log: Path) -> str:
    """Run the command to its end, and say how its tables differ from those of the sound run."""
    per_image = _read(results).groupby(KEY[1:3]).size()
    before = int((per_image == len(made.scores) // len(made.images)).sum())
    ended = made.start(results, log).wait()
    if why := problem(ended, codes=(0,)):
        return f"resumed: {why}"
    kept = re.search(r"(\d+) already in the tables", ended.stderr)
    if before != int(kept[1] if kept else 0):
        return f"resumed: {before} images were there, and it says {ended.stderr!r}"
    scores, images = _tables(results)
    if why := differences(scores, made.scores, whole=True):
        return f"resumed: {why}"
    return "" if images.equals(made.images) else "resumed: the table of images differs"


def _hit(made: _Images, folder: Path, chance: random.Random, side_by_side: int) -> list[_Hit]:
    """Start runs into one results folder and send each a signal at a random moment."""
    hits = []
    for one in range(side_by_side):
        log = folder / f"log{len(list(folder.iterdir()))}-{one}"
        child = made.start(
            folder / "results",
            log,
            seconds=chance.choice((0.0, 0.01, 0.05, 30.0)),
            rows=chance.choice((1, 5, 20, 100_000)),
        )
        number = signal.SIGKILL if chance.random() < 0.7 else chance.choice(GENTLE)
        hits.append(_Hit(child, number, log))
        log.touch()
    span = min(made.seconds, 5.0) * (1 + 0.5 * (side_by_side - 1))
    begun = time.monotonic()
    for moment, hit in sorted(zip((chance.uniform(0, span) for _ in hits), hits, strict=True)):
        time.sleep(max(0.0, begun + moment - time.monotonic()))
        hit.child.signal(hit.number)
    return hits


def _trial(made: _Images, folder: Path, chance: random.Random, counts: Counter[str]) -> str:
    """Kill runs once or several times, go on to the end, and say what was wrong first."""
    wrong = ""
    tried = 0
    for _ in range(chance.choice((1, 1, 2, 3))):
        hits = _hit(made, folder, chance, chance.choice((1, 1, 2, 3, 5)))
        ends = [hit.child.wait() for hit in hits]
        for hit, ended in zip(hits, ends, strict=True):
            if why := _after_kill(made, folder / "results", hit, ended):
                wrong = wrong or f"{signal.Signals(hit.number).name}: {why}"
            tried += ended.code != 0
            counts["interrupted"] += ended.code == INTERRUPTED
            counts["killed"] += ended.code not in (0, INTERRUPTED)
    counts["tried"] += tried
    return wrong or _resumed(made, folder / "results", folder / "log")


def run(
    seed: int, count: int, *, tell: Callable[[str], object] = lambda line: None
) -> Counter[str]:
    """Kill at least `count` runs; the moments depend on the machine too. See `campaign.Run`."""
    counts: Counter[str] = Counter()
    trial, made = 0, None
    with tempfile.TemporaryDirectory(prefix="hostile-kills-") as name:
        while counts["tried"] < count:
            chance = random.Random(f"{seed}/{trial}")
            folder = Path(name) / str(trial)
            if made is None or trial % KILLS == 0:
                made = _Images(folder / "images", chance)
            (folder / "killed").mkdir(parents=True)
            if why := _trial(made, folder / "killed", chance, counts):
                counts["wrong"] += 1
                tell(f"wrong: seed {seed}, kill {trial}, {why}")
            trial += 1
    return counts
