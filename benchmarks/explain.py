"""Measure how often `iqbench explain` names the true convention, a false one, or nothing.

The truth is each protocol and each library's default that is known of PSNR and SSIM. It is
measured on seeded outputs of photographs (six crops of what scikit-image ships, blurred and noisy)
and printed to 2, 3, 4 and 6 digits: as one mean, as values of images, or as two means (PSNR and
SSIM of the same view). Then it is asked for twice: with all that is known, and after the truth was
taken out of it. Conventions that print the same numbers as the truth cannot be told from it: to
name one of them is right, and they are taken out with it.

    python benchmarks/explain.py [--every N] [--keep]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from skimage import data

from iqbench.explain.answer import answer
from iqbench.explain.convention import FIELDS, Convention
from iqbench.explain.evidence import Evidence
from iqbench.explain.files import Pairs, find_pairs
from iqbench.explain.joint import share_cause
from iqbench.explain.plausibility import KINDS
from iqbench.explain.search import _family, judge, look_at, prepare
from iqbench.explain.value import Reported
from iqbench.images import degrade
from iqbench.images.write import write_png

DIGITS = (2, 3, 4, 6)
PAIRS = 6
SIZE = 144


def write_pairs(folder: Path) -> None:
    """Write six references and outputs, different in content, blur and noise."""
    photographs = [data.astronaut(), data.chelsea(), data.coffee()]
    rng = np.random.default_rng(0)
    for place in range(PAIRS):
        image = photographs[place % len(photographs)]
        top, left = (int(rng.integers(0, side - SIZE)) for side in image.shape[:2])
        reference = image[top : top + SIZE, left : left + SIZE].copy()
        blurred = degrade.gaussian_blur(reference, float(rng.uniform(0.5, 1.5)))
        output = degrade.gaussian_noise(blurred, float(rng.uniform(2, 10)), seed=place)
        write_png(folder / "references" / f"{place}.png", reference)
        write_png(folder / "outputs" / f"{place}.png", output)


@dataclass
class Metric:
    """What is measured of one metric, once."""

    name: str
    pairs: Pairs

    def __post_init__(self) -> None:
        self.family = _family(self.name)
        facts, spreads = look_at(self.pairs, 1, None)
        self.survey, self.grid, self.columns = prepare(
            self.family,
            self.evidence(Convention(self.name), 6, "mean", value=0.5),
            pairs=self.pairs,
            facts=facts,
            spreads=spreads,
            scale=None,
            workers=1,
            reporter=None,
        )
        self.survey.run()

    def truths(self) -> list[Convention]:
        """Return the protocols and defaults of libraries."""
        return [item for item in self.survey.found if self.grid.name(item).plausibility == KINDS[0]]

    def evidence(
        self, truth: Convention, digits: int, form: str, *, value: float | None = None
    ) -> Evidence:
        """Print the truth's values."""
        error = self.family.float_error
        if value is None:
            value = self.survey.value(truth)
        mean = Reported.parse(f"{value:.{digits}f}", error)
        if form != "images":
            return Evidence(self.name, mean, {})
        places = range(len(self.pairs))
        numbers = self.survey.images(truth, places)
        images = [Reported.parse(f"{number:.{digits}f}", error) for number in numbers]
        return Evidence(self.name, None, dict(zip(places, images, strict=True)))

    def judge(self, evidence: Evidence, gone: set[Convention]) -> pd.DataFrame:
        """Answer as if some conventions were not known."""
        everything = self.survey.found
        self.survey.evidence = evidence
        self.survey.found = {item: known for item, known in everything.items() if item not in gone}
        try:
            return judge(self.survey, self.grid, evidence, scale=None, columns=self.columns)
        finally:
            self.survey.found = everything

    def alike(self, truth: Convention, evidence: Evidence) -> set[Convention]:
        """Return the conventions that print the same numbers."""
        self.survey.evidence = evidence
        same = {item for item in self.survey.found if self.survey.worst(item)[1]}
        values = self.survey.images(truth, range(len(self.pairs)))
        close = {
            item
            for item in same
            if np.allclose(
                self.survey.images(item, range(len(self.pairs))), values, rtol=2e-5, atol=0
            )
        }
        return same if evidence.images else close


def first(frame: pd.DataFrame) -> Convention:
    """Return the convention that is named."""
    row = frame.iloc[0]
    return Convention(**{name: row[name] for name in FIELDS})


def try_one(metrics: list[Metric], truths: list[Convention], digits: int, form: str) -> list[str]:
    """Return what is answered with the truth, and without it."""
    evidence = [
        metric.evidence(truth, digits, form) for metric, truth in zip(metrics, truths, strict=True)
    ]
    alike = [
        metric.alike(truth, item)
        for metric, truth, item in zip(metrics, truths, evidence, strict=True)
    ]
    outcomes = []
    for gone in (False, True):
        frames = [
            metric.judge(item, same if gone else set())
            for metric, item, same in zip(metrics, evidence, alike, strict=True)
        ]
        table = share_cause(frames)
        verdict = answer(table).verdict
        named = [first(part) for _, part in table.groupby("reported", sort=False)]
        right = all(name in same for name, same in zip(named, alike, strict=True))
        if verdict in ("nothing", "coincidence"):
            outcomes.append("nothing")
        elif right and not gone:
            outcomes.append("true")
        else:
            outcomes.append("ambiguous" if verdict == "ambiguous" else "false")
    return outcomes


def measure(folder: Path, every: int) -> tuple[list[list[object]], int]:
    """Return a row for each form and number of digits, and how many truths were tried."""
    pairs = Pairs(find_pairs(folder / "references", folder / "outputs"), [1, 2, 3, 4, 8], "error")
    psnr, ssim = Metric("psnr", pairs), Metric("ssim", pairs)
    single = [(metric, truth) for metric in (psnr, ssim) for truth in metric.truths()][::every]
    views = {(*truth.seen, truth.crop, truth.modcrop): truth for truth in ssim.truths()}
    both = [
        (truth, views[key])
        for truth in psnr.truths()
        if (key := (*truth.seen, truth.crop, truth.modcrop)) in views
    ][::every]
    rows: list[list[object]] = []
    for form in ("one mean", "two means", "images"):
        for digits in DIGITS:
            counts: Counter[str] = Counter()
            if form == "two means":
                outcomes = [try_one([psnr, ssim], list(two), digits, form) for two in both]
            else:
                outcomes = [try_one([metric], [truth], digits, form) for metric, truth in single]
            for known, unknown in outcomes:
                counts["known " + known] += 1
                counts["unknown " + unknown] += 1
            names = ("known true", "known ambiguous", "known false", "known nothing")
            shares = [counts[name] / len(outcomes) for name in (*names, "unknown nothing")]
            rows.append([form, digits, len(outcomes), *(f"{share:.0%}" for share in shares)])
            print(rows[-1], file=sys.stderr, flush=True)
    return rows, len(single)


def page(rows: list[list[object]], every: int) -> str:
    """Write the page."""
    headings = [
        "reported as",
        "digits",
        "tried",
        "true first",
        "several, not told apart",
        "false first",
        "nothing plausible",
        "truth taken out: nothing plausible",
    ]
    lines = [
        "# How often explain is right",
        "",
        f"Made by `python benchmarks/explain.py --every {every}`, {date.today().isoformat()}: "
        f"protocols and libraries' defaults of PSNR and SSIM, {PAIRS} pairs of {SIZE}x{SIZE}. "
        "To name a convention that prints the same numbers as the truth counts as right; such "
        "conventions are taken out with it.",
        "",
        f"| {' | '.join(headings)} |",
        f"| --- |{' ---: |' * (len(headings) - 1)}",
        *(f"| {' | '.join(str(cell) for cell in row)} |" for row in rows),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Print the page, and keep it on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1, help="try every N-th convention only")
    parser.add_argument("--keep", action="store_true", help="write the page into results/")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pairs(folder)
        rows, _ = measure(folder, options.every)
    text = page(rows, options.every)
    print(text)
    if options.keep:
        results = Path(__file__).parent / "results"
        (results / f"explain-{date.today().isoformat()}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
