"""Whether `iqbench explain` follows the true convention of a mean over many pairs to the end.

All conventions are measured on few pairs, and only those that may fit on more: a true one that is
given up would never be named. Here every convention is measured on all pairs once. Then the
protocols and defaults of libraries, and every N-th of the other conventions, is the truth in turn:
its mean is printed to four digits and searched for, with the values that are known.

    python benchmarks/explain_screening.py [--pairs 100] [--every 50] [--keep]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from explain import write_pairs
from machine import describe_machine, keep

from iqbench.errors import IqbenchError
from iqbench.explain.convention import MODCROPS, SCALES, Convention
from iqbench.explain.evidence import Evidence
from iqbench.explain.files import Pairs, find_pairs
from iqbench.explain.plausibility import KINDS
from iqbench.explain.search import _family, look_at, prepare
from iqbench.explain.value import Reported

SCALE = 4
METRICS = ("psnr", "ssim")


class Known:
    """A metric whose statistics were measured before. A pair is its number."""

    def __init__(self, family: Any, pairs: Pairs, samples: Sequence[Convention]) -> None:
        self._family = family
        self._found: dict[tuple[Convention, int], Any] = {}
        self.measured = 0
        with torch.inference_mode():
            for place in range(len(pairs)):
                pair = pairs.read(place)
                for sample in sorted(samples, key=lambda sample: sample.order):
                    try:
                        self._found[sample, place] = family.measure(pair, sample)
                    except IqbenchError:  # the images are too small for it
                        continue

    def __getattr__(self, name: str) -> Any:
        """Return what the metric has besides."""
        return getattr(self._family, name)

    def measure(self, pair: int, convention: Convention) -> Any:
        """Return what was measured."""
        self.measured += 1
        try:
            return self._found[convention, pair]
        except KeyError:
            raise IqbenchError("the images are too small") from None

    def mean(self, convention: Convention, count: int) -> float:
        """Return the value over all pairs; NaN where there is none."""
        sample = self._family.sample(convention)
        if (sample, 0) not in self._found:
            return float("nan")
        statistics = [self._found[sample, place] for place in range(count)]
        return float(self._family.close(statistics, convention))


class Numbers:
    """Pairs that are only numbers."""

    def __init__(self, pairs: Pairs) -> None:
        self._count = len(pairs)
        self.names, self.modcrops, self.partners = pairs.names, pairs.modcrops, pairs.partners

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count

    def read(self, place: int) -> int:
        """Return the number of a pair."""
        return place


def row(metric: str, pairs: Pairs, every: int) -> list[str]:
    """Search for each truth; return the cells of a row."""
    family: Any = _family(metric)
    numbers: Any = Numbers(pairs)
    facts, traits = look_at(pairs, 1, None)

    def search(asked: Any, value: str) -> Any:
        return prepare(
            asked,
            Evidence(metric, Reported.parse(value, family.float_error), {}),
            pairs=numbers,
            facts=facts,
            traits=traits,
            scale=SCALE,
            workers=1,
            reporter=None,
        )[:2]

    survey, grid = search(family, "0.5")
    known = Known(family, pairs, list({family.sample(item) for item in grid.conventions}))
    named = [item for item in grid.conventions if grid.name(item).plausibility == KINDS[0]]
    others = [item for item in grid.conventions if item not in grid.doubtful and item not in named]
    tried = followed = 0
    for truth in [*named, *others[::every]]:
        mean = known.mean(truth, len(pairs))
        if abs(mean) < float("inf"):
            survey, grid = search(known, f"{mean:.4f}")
            survey.run(grid.conventions)
            tried += 1
            followed += survey.complete(truth)
    all_values = len({family.sample(item) for item in grid.conventions}) * len(pairs) * tried
    share = f"{known.measured / all_values:.0%}"
    return [metric, str(len(grid.conventions)), str(tried), str(followed), share]


def main() -> None:
    """Print the page, and keep it on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--keep", action="store_true", help="write the page into results/")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="iqbench-screening-") as name:
        folder = Path(name)
        write_pairs(folder, 0, options.pairs)
        found = find_pairs(folder / "references", folder / "outputs")
        pairs = Pairs(found, sorted({*MODCROPS, *SCALES}), "error")
        rows = [row(metric, pairs, options.every) for metric in METRICS]
    command = f"python benchmarks/explain_screening.py --pairs {options.pairs}"
    lines = [
        describe_machine("Whether explain follows the truth", f"{command} --every {options.every}"),
        "",
        f"{options.pairs} pairs of 128x128, one mean with 4 digits, --scale {SCALE}. Tried are the "
        f"protocols and defaults of libraries, and every {options.every}th of the others.",
        "",
        "| metric | conventions | truths tried | followed to the end | values measured, of all |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(f"| {' | '.join(cells)} |" for cells in rows),
        "",
    ]
    keep("\n".join(lines), "explain-screening", options.keep)


if __name__ == "__main__":
    main()
