"""Hostile names: of images, methods, datasets and results folders.

`run(seed, count)` puts that many names where names can stand, and runs commands there. Each output
is scored with the right value under its name, or is refused in a line that names it; no line moves
the cursor of a terminal, and the tables, leaderboards and exports after it can be read.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from children import Child, Ended, command, problem
from PIL import Image

from iqbench.datasets.files import unusable_name
from iqbench.errors import IqbenchError
from iqbench.results.read import load_scores

__all__ = ["WRONG", "run"]

WRONG = ("wrong",)
"""Outcomes that may not be. The others: ``scored`` and ``refused``."""

TAG = "tag7"
"""Is in each name, so that a line that names it can be told."""

_PIECES = (
    *(
        "",
        " ",
        "  ",
        ".",
        "..",
        "-",
        "--help",
        "=",
        "a=b",
        ",",
        ";",
        ":",
        "|",
        "&",
        "$(id)",
        "`id`",
    ),
    *("'", '"', "\\", "\\n", "*", "?", "[a]", "{id}", "{", "}", "{0.__class__}", "%", "%s%n", "#"),
    *(
        "~",
        "!",
        "@",
        "é",
        "e\u0301",
        "ß",
        "İ",
        "漢字",
        "😀",
        "👩\u200d👩\u200d👧",
        "\u202e",
        "\u200b",
        "\ufeff",
    ),
    *("\n", "\r", "\t", "\x1b[2J", "\x7f", "\x85", "\u2028", "\udcff", "\udcc3", "\x01", "\u2066"),
    *("<script>alert(1)</script>", "=cmd|'/c calc'!A0", "nan", "None", "0", "CON", "nul.txt"),
    *("x" * 150, "漢" * 60, ".png", ".tar.gz", "_x4", "+", "10" * 40),
)
_PLACES = ("image", "method", "dataset", "results", "reference")


def hostile_name(chance: random.Random) -> str:
    """Make a name that a file system takes."""
    pieces = [chance.choice(_PIECES) for _ in range(chance.choice((1, 1, 2, 3)))]
    pieces.insert(chance.randrange(len(pieces) + 1), TAG)
    return os.fsdecode(os.fsencode("".join(pieces).replace("/", ""))[:240]).rstrip("\udcff") or TAG


def _psnr(reference: np.ndarray, output: np.ndarray) -> float:
    difference = reference.astype(np.float64) - output
    return float(10 * np.log10(255**2 / np.mean(difference**2)))


class _Trial:
    """A folder with references and outputs, one name of which is hostile."""

    def __init__(self, folder: Path, place: str, name: str, pixels: np.random.Generator) -> None:
        self.folder, self.name = folder, name
        images = ["a", name if place == "image" else "b"]
        self.method = name if place == "method" else "mine"
        self.reference = name if place == "reference" else "hr"
        self.results = name if place == "results" else "results"
        self.right: dict[str, float] = {}
        for image in images:
            pair = pixels.integers(0, 256, (2, 12, 12, 3), np.uint8)
            for where, one in zip((self.reference, self.method), pair, strict=True):
                (folder / where).mkdir(exist_ok=True)
                with (folder / where / f"{image}.png").open("wb") as file:
                    Image.fromarray(one).save(file, "PNG")
            self.right[image] = _psnr(*pair)
        self.words = ["evaluate", "--metric", "psnr", "--reference", f"./{self.reference}"]
        self.words += ["--results", f"./{self.results}", "--method", f"./{self.method}"]
        if place == "dataset":
            self.words.append(f"--dataset-name={name}")

    def wrong(self, ended: Ended) -> str:
        """Say what is wrong with how the run ended."""
        if why := problem(ended, named=TAG):
            return why
        if ended.code == 2:
            return ""
        found = load_scores(self.folder / self.results).dropna(subset="value")
        values = dict(zip(found["image"].astype(str), found["value"], strict=True))
        for image, right in self.right.items():
            if image in values and abs(values[image] - right) > 1e-6:
                return f"{image!r} has {values[image]}, not {right}"
            if image not in values and not (unusable_name(image) and TAG in ended.stderr):
                return f"{image!r} is neither scored nor named"
        if set(values) - set(self.right):
            return f"there is another image: {set(values)}"
        return "" if (ended.code == 0) == (len(values) == len(self.right)) else "exits with 0"

    def read(self, chance: random.Random) -> str:
        """Show the tables by some command, and say what is wrong with that."""
        words = chance.choice(
            (
                ["leaderboard", "--format", chance.choice(("table", "csv", "json", "latex"))],
                ["leaderboard", "--by-image", "--format", "markdown"],
                ["export", "-o", "out.csv"],
                ["results", "verify"],
            )
        )
        ended = Child(command, [*words, f"./{self.results}"], str(self.folder)).wait()
        if why := problem(ended, codes=(0,)):
            return f"{' '.join(words)}: {why}"
        return "" if words[0] != "leaderboard" or ended.stdout else "prints nothing"


def run(
    seed: int, count: int, *, tell: Callable[[str], object] = lambda line: None
) -> Counter[str]:
    """Try hostile names; see `campaign.Run`."""
    counts: Counter[str] = Counter()
    for number in range(count):
        chance = random.Random(f"{seed}/{number}")
        place, name = chance.choice(_PLACES), hostile_name(chance)
        with tempfile.TemporaryDirectory(prefix="hostile-names-") as folder:
            trial = _Trial(Path(folder), place, name, np.random.default_rng([seed, number]))
            ended = Child(command, trial.words, folder).wait()
            try:
                why = trial.wrong(ended)
            except IqbenchError as error:
                why = f"cannot be read: {error}"
            if not why and ended.code != 2:
                why = trial.read(chance)
        counts["tried"] += 1
        counts["wrong" if why else "scored" if ended.code == 0 else "refused"] += 1
        if why:
            tell(f"wrong: seed {seed}, name {number}, {place} {name!r}: {why}")
    return counts
