"""Measure how often `iqbench check` fires: on losses that are planted, and on noise alone.

Per-image scores are real: those of results/baseline, PSNR, SSIM and TV residual of 24 methods on
photographs. As many images as asked for are drawn with replacement, the same for all methods. The
candidate's scores are the baseline's plus noise: for each image Student's t with 5 degrees of
freedom (heavier tails than normal) in units of the metric's margin, half of its variance shared by
all metrics of a method. The planted loss is the same on all images, in the metrics of one method.
Power is how often such a comparison is called worse. The TV ratio is left out: noise as large as
its distance from 1 does move it away from 1, and that is no false alarm.

    python benchmarks/check_power.py [RUNS]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from iqbench.analysis.gains import gains
from iqbench.analysis.margins import margin_of
from iqbench.analysis.verdicts import judge
from iqbench.results.read import load_columns, load_scores

BASELINE = Path(__file__).parents[1] / "results/baseline"
METRICS = ["psnr", "ssim", "tv-residual"]


def score_tables(results=BASELINE):
    """Each method's scores on each dataset, images by metrics."""
    scores = load_scores(results, filters={"metric": METRICS})
    return [
        table.pivot(index="image", columns="metric", values="value")[METRICS].to_numpy()
        for _, table in scores.groupby(["dataset", "method"], observed=True)
    ]


def simulate(tables, columns, generator, *, images, noise, effect):
    """Check once; return for each comparison its verdict, and whether a loss was planted in it."""
    drawn = generator.integers(0, len(tables[0]), images)
    chosen = generator.integers(len(tables))
    differences, margins, planted = [], [], []
    for place, table in enumerate(tables):
        before = table[drawn]
        shared = student(generator, (images, 1))
        own = student(generator, before.shape)
        for number, metric in enumerate(METRICS):
            info = columns[metric]
            margin = margin_of(metric).of(before[:, number].mean())
            moved = noise * margin * (shared[:, 0] + own[:, number]) / np.sqrt(2)
            better = 1 if info.direction == "higher" else -1
            loss = effect * margin if place == chosen else 0.0
            after = before[:, number] + moved - better * loss
            differences.append(gains(before[:, number], after, info))
            margins.append(margin)
            planted.append(place == chosen)
    return [one.verdict for one in judge(differences, margins)], planted


def student(generator, shape):
    """Noise of variance 1."""
    return generator.standard_t(5, shape) / np.sqrt(5 / 3)


def rates(tables, columns, *, images, noise, effect, runs, seed=0):
    """How often planted losses are found; how often others are called worse, one and any."""
    generator = np.random.default_rng(seed)
    found, alarms, checks = [], [], []
    for _ in range(runs):
        verdicts, planted = simulate(
            tables, columns, generator, images=images, noise=noise, effect=effect
        )
        worse = np.array(verdicts) == "worse"
        found.append(worse[np.array(planted)].mean())
        alarms.append(worse[~np.array(planted)].mean())
        checks.append(worse[~np.array(planted)].any())
    return float(np.mean(found)), float(np.mean(alarms)), float(np.mean(checks))


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    tables, columns = score_tables(), load_columns(BASELINE)
    print(f"{len(tables) * len(METRICS)} comparisons a check, {runs} checks a row\n")
    rows = []
    for images in (5, 8, 20, 50, 100):
        for noise in (0.5, 1.0, 2.0, 20.0):
            row = {"images": images, "noise sd / margin": noise}
            for effect in (1.0, 1.5, 2.0, 3.0):
                power, *_ = rates(
                    tables, columns, images=images, noise=noise, effect=effect, runs=runs
                )
                row[f"loss {effect:g} x margin"] = f"{power:.2f}"
            _, one, alarm = rates(
                tables, columns, images=images, noise=noise, effect=0.0, runs=runs
            )
            row["false alarm"], row["any in a check"] = f"{one:.4f}", f"{alarm:.2f}"
            rows.append(row)
            print(*row.values(), flush=True)
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
