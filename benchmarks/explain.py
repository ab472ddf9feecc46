"""Measure how often `iqbench explain` names the true convention, a false one, or nothing.

The truth is each protocol and each library's default that is known of PSNR and SSIM. It is
measured on seeded outputs of photographs (six crops of what scikit-image ships, blurred, noisy and
darker) and printed to 2, 3, 4 and 6 digits: as one mean, as values of images, or as two means (PSNR
and SSIM of the same view). Then it is asked for twice: with all that is known, and after the truth
was taken out of it. Conventions that print the same numbers as the truth cannot be told from it: to
name one of them is right, and they are taken out with it.

Values of images with four digits, of which 99% shall be right, are tried with every truth on
several sets of photographs; the others with every N-th truth on the first set. Answers are
written to a file as they come, and a run that was stopped goes on where it was.

    python benchmarks/explain.py [--sets N] [--every N] [--cases FILE] [--keep]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import product
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

FORMS = ("one mean", "two means", "images")
DIGITS = (2, 3, 4, 6)
GOAL = ("images", 4)
PAIRS = 6
SIZE = 128


def write_pairs(folder: Path, seed: int, count: int = PAIRS) -> None:
    """Write references and outputs, different in content, blur, noise and brightness."""
    photographs = [data.astronaut(), data.chelsea(), data.coffee()]
    rng = np.random.default_rng(seed)
    for place in range(count):
        image = photographs[(place + seed) % len(photographs)]
        top, left = (int(rng.integers(0, side - SIZE)) for side in image.shape[:2])
        reference = image[top : top + SIZE, left : left + SIZE].copy()
        blurred = degrade.gaussian_blur(reference, float(rng.uniform(0.5, 1.5)))
        noisy = degrade.gaussian_noise(blurred, float(rng.uniform(2, 10)), seed=100 * seed + place)
        output = (noisy * rng.uniform(0.7, 0.95)).round().astype(np.uint8)
        write_png(folder / "references" / f"{place:03d}.png", reference)
        write_png(folder / "outputs" / f"{place:03d}.png", output)


@dataclass
class Metric:
    """What is measured of one metric, once."""

    name: str
    pairs: Pairs

    def __post_init__(self) -> None:
        self.family = _family(self.name)
        facts, traits = look_at(self.pairs, 1, None)
        self.survey, self.grid, self.columns = prepare(
            self.family,
            self.evidence(Convention(self.name), 6, "mean", value=0.5),
            pairs=self.pairs,
            facts=facts,
            traits=traits,
            scale=None,
            workers=1,
            reporter=None,
        )
        self.survey.run(self.grid.conventions)

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
        mean = self.survey.value(truth)
        # No digits of the mean tell these apart.
        close = {
            item
            for item in same
            if abs(self.survey.value(item) - mean) <= 1e-9
            or np.allclose(
                self.survey.images(item, range(len(self.pairs))), values, rtol=2e-5, atol=0
            )
        }
        return same if evidence.images else close


def first(frame: pd.DataFrame) -> Convention:
    """Return the convention that is named."""
    row = frame.iloc[0]
    return Convention(**{name: row[name] for name in FIELDS})


def try_one(
    metrics: list[Metric], truths: list[Convention], digits: int, form: str
) -> tuple[str, str, str]:
    """Return what is answered with the truth, and without it, and what is named falsely."""
    evidence = [
        metric.evidence(truth, digits, form) for metric, truth in zip(metrics, truths, strict=True)
    ]
    alike = [
        metric.alike(truth, item)
        for metric, truth, item in zip(metrics, truths, evidence, strict=True)
    ]
    outcomes, note = [], ""
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
            note = f"{'without ' if gone else ''}{truths}: named {named}"
    return outcomes[0], outcomes[1], note


def cases(
    metrics: list[Metric], every: int
) -> Iterator[tuple[str, int, list[Metric], list[Convention]]]:
    """Yield form, digits, metrics and truths; of the goal all, of others every so many."""
    psnr, ssim = metrics
    single = [([metric], [truth]) for metric in metrics for truth in metric.truths()]
    views = {(*truth.seen, truth.crop, truth.modcrop): truth for truth in ssim.truths()}
    both = [
        (metrics, [truth, views[key]])
        for truth in psnr.truths()
        if (key := (*truth.seen, truth.crop, truth.modcrop)) in views
    ]
    for form, digits in sorted(product(FORMS, DIGITS), key=lambda item: item != GOAL):
        tried = both if form == "two means" else single
        for asked, truths in tried if (form, digits) == GOAL else tried[::every]:
            yield form, digits, asked, truths


def measure(sets: int, every: int, file: Path) -> list[dict[str, object]]:
    """Return a record for each case; those in the file are not tried again."""
    known = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    done = {record["case"] for record in known}
    for seed in range(sets):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_pairs(folder, seed)
            found = find_pairs(folder / "references", folder / "outputs")
            pairs = Pairs(found, [1, 2, 3, 4, 8], "error")
            metrics = [Metric("psnr", pairs), Metric("ssim", pairs)]
            for form, digits, asked, truths in cases(metrics, every):
                case = f"{seed} {form} {digits} {[tuple(truth) for truth in truths]}"
                if case in done or (seed and (form, digits) != GOAL):
                    continue
                with_it, without, note = try_one(asked, truths, digits, form)
                record = {
                    "case": case,
                    "form": form,
                    "digits": digits,
                    "known": with_it,
                    "unknown": without,
                    "note": note,
                }
                known.append(record)
                with file.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(record) + "\n")
                if note and (form, digits) == GOAL:
                    print(note, file=sys.stderr, flush=True)
        print(f"set {seed + 1} of {sets}: {len(known)} cases", file=sys.stderr, flush=True)
    return known


def shares(records: list[dict[str, object]]) -> list[list[object]]:
    """Return a row for each form and number of digits."""
    rows: list[list[object]] = []
    for form, digits in product(FORMS, DIGITS):
        part = [item for item in records if (item["form"], item["digits"]) == (form, digits)]
        if not part:
            continue
        counts = Counter(f"known {item['known']}" for item in part)
        counts.update(f"unknown {item['unknown']}" for item in part)
        names = ("known true", "known ambiguous", "known false", "known nothing", "unknown nothing")
        rows.append(
            [form, digits, len(part), *(f"{counts[name] / len(part):.1%}" for name in names)]
        )
    return rows


def page(rows: list[list[object]], sets: int, every: int) -> str:
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
        f"Made by `python benchmarks/explain.py --sets {sets} --every {every}`, "
        f"{date.today().isoformat()}: protocols and libraries' defaults of PSNR and SSIM, {sets} "
        f"seeded sets of {PAIRS} pairs of {SIZE}x{SIZE}. Values of images with {GOAL[1]} digits "
        f"are tried with every one of them, the others with every {every}th on the first set. "
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
    parser.add_argument("--sets", type=int, default=4, help="how many sets of photographs")
    parser.add_argument("--every", type=int, default=8, help="try every N-th convention otherwise")
    parser.add_argument("--cases", type=Path, help="where answers are kept, to go on later")
    parser.add_argument("--keep", action="store_true", help="write the page into results/")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        file = options.cases or Path(name) / "cases.jsonl"
        rows = shares(measure(options.sets, options.every, file))
    text = page(rows, options.sets, options.every)
    print(text)
    if options.keep:
        results = Path(__file__).parent / "results"
        (results / f"explain-{date.today().isoformat()}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
