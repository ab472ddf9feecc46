"""Pairs of files to explain, and the formulas behind the reported values."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from iqbench.explain.convention import MODCROPS, SCALES
from iqbench.explain.evidence import Evidence
from iqbench.explain.files import Pairs, find_pairs
from iqbench.explain.joint import share_cause
from iqbench.explain.search import _family, judge, look_at, prepare
from iqbench.explain.value import Reported
from iqbench.images import degrade
from iqbench.images.source import FileSource
from iqbench.images.write import write_png


def write_pair(folder, reference):
    output = degrade.gaussian_noise(degrade.gaussian_blur(reference, 1.0), 8, seed=7)
    write_png(folder / "ref.png", reference)
    write_png(folder / "out.png", output)
    return folder / "ref.png", folder / "out.png"


def studio(image):
    """BasicSR's and SwinIR's Y, not rounded."""
    return image.astype(np.float64) @ [65.481, 128.553, 24.966] / 255 + 16


def psnr(first, second):
    return 10 * math.log10(255**2 / np.mean((first - second) ** 2))


def pixels(paths):
    return [FileSource(path).read().decode().pixels for path in paths]


def explain_value(pair, protocol):
    import iqbench

    return f"{iqbench.measure(*pair, metrics='psnr', protocol=protocol)['value'].item():.4f}"


def judged(pair, metric, value, scale=None):
    """Return what `explain` returns of two files, which are measured only once for many values."""
    survey, grid, columns = _measured_once(*pair, metric, scale)
    mean = Reported.parse(value, _family(metric).float_error)
    survey.evidence = Evidence(metric, mean, {})
    frame = judge(survey, grid, survey.evidence, scale=scale, columns=columns)
    return share_cause([frame])


def measured(reference, output, metric, scale):
    """Return the survey of two files, the grid of its conventions, and the metric's columns."""
    modcrops = sorted({*MODCROPS, *(SCALES if scale is None else (scale,))})
    pairs = Pairs(find_pairs(reference, output), modcrops, "error")
    facts, traits = look_at(pairs, 1, None)
    survey, grid, columns = prepare(
        _family(metric),
        Evidence(metric, Reported.parse("0.5"), {}),
        pairs=pairs,
        facts=facts,
        traits=traits,
        scale=scale,
        workers=1,
        reporter=None,
    )
    survey.run(grid.conventions)
    return survey, grid, columns


_measured_once = cache(measured)
