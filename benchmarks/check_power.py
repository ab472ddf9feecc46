"""Measure how often `iqbench check` fires: on losses that are planted, and on noise alone.

Per-image scores are real: those of results/baseline, PSNR, SSIM and TV residual of 24 methods on
photographs. As many images as asked for are drawn with replacement, the same for all methods. The
candidate's scores are the baseline's plus noise: for each image Student's t with 5 degrees of
freedom (heavier tails than normal) in units of the metric's margin, half of its variance shared by
all metrics of a method. In the metrics of one method something is planted (`Planted`); power is how
often such a comparison is called worse. False alarms are those of all other comparisons, counted
apart for the rule on means and the rule on single images. The TV ratio is left out: noise as large
as its distance from 1 does move it away from 1, and that is not a false alarm.

    python benchmarks/check_power.py [CHECKS]
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iqbench.gate.margins import image_margin_of, margin_of
from iqbench.gate.verdicts import judge
from iqbench.results.read import load_columns, load_scores
from iqbench.stats.gains import gains

BASELINE = Path(__file__).parents[1] / "results/baseline"
METRICS = ["psnr", "ssim", "tv-residual"]


@dataclass(frozen=True)
class Planted:
    """What happens to one method.

    Parameters
    ----------
    metrics
        To which of its metrics.
    loss
        On every image, in margins.
    broken, depth
        How many images lose ``depth`` margins besides.
    lucky
        How many images become equal to the reference: they get an infinite value.
    unequal
        How many images were equal to the reference, with an infinite value, and no longer are.
    """

    metrics: tuple[str, ...] = tuple(METRICS)
    loss: float = 0.0
    broken: int = 0
    depth: float = 0.0
    lucky: int = 0
    unequal: int = 0


@dataclass(frozen=True)
class Rates:
    """How often a check fires.

    Parameters
    ----------
    power
        Share of the comparisons with something planted that are worse.
    by_mean, by_image
        Share of the other comparisons that each rule calls worse.
    any_by_mean, any_by_image
        Share of the checks in which that happens at least once.
    """

    power: float
    by_mean: float
    by_image: float
    any_by_mean: float
    any_by_image: float


def score_tables(results=BASELINE):
    """Each method's scores on each dataset, images by metrics."""
    scores = load_scores(results, filters={"metric": METRICS})
    return [
        table.pivot(index="image", columns="metric", values="value")[METRICS].to_numpy()
        for _, table in scores.groupby(["dataset", "method"], observed=True)
    ]


def simulate(tables, columns, generator, *, images, noise, planted, image_margins=None):
    """Check once; return the judgements, and in which of them something is planted."""
    drawn = generator.integers(0, len(tables[0]), images)
    chosen = generator.integers(len(tables))
    differences, margins, limits, places = [], [], [], []
    for place, table in enumerate(tables):
        scores = table[drawn]
        shared = student(generator, (images, 1))
        own = student(generator, scores.shape)
        for number, metric in enumerate(METRICS):
            info = columns[metric]
            better = 1 if info.direction == "higher" else -1
            mean = scores[:, number].mean()
            margin = margin_of(metric, info).of(mean)
            before = scores[:, number]
            after = before + noise * margin * (shared[:, 0] + own[:, number]) / np.sqrt(2)
            hit = place == chosen and metric in planted.metrics
            if hit:
                before, after = plant(planted, before, after, better * margin)
            limit = image_margin_of(metric, info, image_margins)
            differences.append(gains(before, after, info))
            margins.append(margin)
            limits.append(
                np.full(images, np.nan) if limit is None else limit.of_each(before, mean, margin)
            )
            places.append(hit)
    return judge(differences, margins, limits), np.array(places)


def plant(planted, before, after, unit):
    """Change the scores of one metric; ``unit`` is a gain of one margin."""
    before, after = before.copy(), after - planted.loss * unit
    after[: planted.broken] -= planted.depth * unit
    after[planted.broken : planted.broken + planted.lucky] = np.inf
    before[len(before) - planted.unequal :] = np.inf
    return before, after


def student(generator, shape):
    """Noise of variance 1."""
    return generator.standard_t(5, shape) / np.sqrt(5 / 3)


def rates(tables, columns, *, images, noise, planted, runs, seed=0, **options):
    """Check ``runs`` times."""
    generator = np.random.default_rng(seed)
    power, by_mean, by_image = [], [], []
    for _ in range(runs):
        judged, places = simulate(
            tables, columns, generator, images=images, noise=noise, planted=planted, **options
        )
        power.append([one.verdict == "worse" for one in np.array(judged)[places]])
        by_mean.append([one.mean_is_worse for one in np.array(judged)[~places]])
        by_image.append([one.images_beyond > 0 for one in np.array(judged)[~places]])
    return Rates(
        power=float(np.mean(power)),
        by_mean=float(np.mean(by_mean)),
        by_image=float(np.mean(by_image)),
        any_by_mean=float(np.any(by_mean, axis=1).mean()),
        any_by_image=float(np.any(by_image, axis=1).mean()),
    )


LOSSES = {f"loss {loss:g}": Planted(loss=loss) for loss in (1.0, 1.5, 2.0, 3.0)}
"""Every image loses so many margins."""

PSNR = ("psnr",)
IMAGES = {
    "1 loses 16.6 dB": Planted(PSNR, broken=1, depth=332),
    "3 lose 15 dB": Planted(PSNR, broken=3, depth=300),
    "1 loses 2 dB": Planted(PSNR, broken=1, depth=40),
    "1 loses 0.8 dB": Planted(PSNR, broken=1, depth=16),
    "6 lose 0.8 dB": Planted(PSNR, broken=6, depth=16),
    "all lose 0.2 dB, 1 becomes inf": Planted(PSNR, loss=4, lucky=1),
    "all gain 0.1 dB, 1 is no longer inf": Planted(PSNR, loss=-2, unequal=1),
}
"""Single images, in PSNR, whose margin is 0.05 dB."""


def table(tables, columns, runs, plants, *, counts, noises):
    """Print a Markdown table: power for each that is planted, and the false alarms."""
    alarms = ("alarm, means", "any, means", "alarm, images", "any, images")
    print("| images | noise |", *(f"{name} |" for name in (*plants, *alarms)))
    print("| ---: | ---: |", *["---: |"] * (len(plants) + len(alarms)))
    for images in counts:
        for noise in noises:
            found = {
                name: rates(
                    *(tables, columns), images=images, noise=noise, planted=planted, runs=runs
                )
                for name, planted in {**plants, "": Planted()}.items()
            }
            alone = found.pop("")
            cells = [f"{one.power:.2f}" for one in found.values()]
            cells += [f"{alone.by_mean:.2%}", f"{alone.any_by_mean:.0%}"]
            cells += [f"{alone.by_image:.2%}", f"{alone.any_by_image:.0%}"]
            print(f"| {images} | {noise:g} |", *(f"{cell} |" for cell in cells), flush=True)
    print()


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    tables, columns = score_tables(), load_columns(BASELINE)
    print(f"{len(tables) * len(METRICS)} comparisons a check, {runs} checks a cell\n")
    data = (tables, columns, runs)
    table(*data, LOSSES, counts=(5, 8, 20, 50), noises=(0.05, 0.5, 1.0, 2.0, 5.0, 20.0))
    table(*data, IMAGES, counts=(30,), noises=(0.05, 0.5, 2.0, 20.0))


if __name__ == "__main__":
    main()
