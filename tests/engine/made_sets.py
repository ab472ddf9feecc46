"""Folders of images and a stand-in for Inception: means and spreads of colours, without weights."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

NAMES = [f"{number}.png" for number in range(6)]


def colours(image):
    """What the stand-in extracts: mean and spread of each colour of 0..255, unrounded."""
    pixels = image.expand(-1, 3, -1, -1).double() * 255
    found = [*pixels.mean((2, 3)).flatten(), *pixels.std((2, 3)).flatten()]
    return np.array([found], dtype=np.float32)


def features(folder, names=NAMES):
    """The stand-in's features of some images of a folder."""
    images = [np.asarray(Image.open(folder / name)) for name in names]
    tensors = [torch.from_numpy(one / 255).permute(2, 0, 1)[None].float() for one in images]
    return np.concatenate([colours(one) for one in tensors])


def write(folder, name, seed, height=12, width=14):
    """Write an image of random colours."""
    folder.mkdir(parents=True, exist_ok=True)
    levels = np.random.default_rng(seed).integers(20, 220, 3)
    noise = np.random.default_rng(seed).integers(-20, 21, (height, width, 3))
    Image.fromarray((levels + noise).astype(np.uint8)).save(folder / name)
