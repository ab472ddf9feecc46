"""Pixels at halved scales: a network without weights (MS-SSIM reads it).

Layers: ``scale2`` ... ``scale5``, each the mean over 2x2 of the one before; an odd last row or
column is left out.
"""

from __future__ import annotations

from iqbench.networks.backbone import Backbone
from iqbench.networks.layer import Layer
from iqbench.networks.layers import AveragePool

__all__ = ["NAMES", "build"]

NAMES = ("pyramid",)
SCALES = 5


def build(name: str) -> Backbone:
    """Build the pyramid of five scales; the first is the pixels themselves."""
    nodes: list[tuple[str, Layer]] = [
        (f"scale{scale}", AveragePool(2)) for scale in range(2, SCALES + 1)
    ]
    return Backbone(name, {}, nodes)
