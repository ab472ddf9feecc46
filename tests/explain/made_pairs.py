"""Pairs of files to explain, and the arithmetic of those who reported of them."""

from __future__ import annotations

import math

import numpy as np

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
