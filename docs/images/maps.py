"""Draw docs/images/maps.jpg: a photograph, JPEG on its left, blur on its right, and the maps.

python docs/images/maps.py
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray
from skimage import data

from iqbench.images.write import write_png
from iqbench.maps import difference_maps, render
from iqbench.maps.palettes import PALETTES

PICTURE = Path(__file__).with_name("maps.jpg")
TITLES = {
    "absolute-error": "absolute error",
    "ssim": "SSIM",
    "lpips-alex": "LPIPS (AlexNet)",
    "lpips-vgg": "LPIPS (VGG16)",
    "perceptual-vgg16-relu2_2-l1": "VGG16 relu2_2, l1",
    "tv-aniso": "change of total variation",
}


def degrade(photograph: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """JPEG of quality 15 on the left half, Gaussian blur of 2.5 pixels on the right."""
    _, encoded = cv2.imencode(".jpg", photograph[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 15])
    output = np.array(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1], np.uint8)
    half = photograph.shape[1] // 2
    output[:, half:] = cv2.GaussianBlur(photograph, (0, 0), 2.5)[:, half:]
    return output


def draw() -> None:
    """Draw both images, and each map with the scale of its colours."""
    reference = data.astronaut()
    output = degrade(reference)
    with TemporaryDirectory() as folder:
        paths = Path(folder, "reference.png"), Path(folder, "output.png")
        for path, pixels in zip(paths, (reference, output), strict=True):
            write_png(path, pixels)
        maps = difference_maps(*paths, maps=list(TITLES), device="cpu")
    figure = Figure(figsize=(12, 5.4), dpi=100, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 4).ravel()
    for axis, pixels, title in zip(
        axes, (reference, output), ("reference", "output"), strict=False
    ):
        axis.imshow(pixels)
        axis.set_title(title)
    for axis, map_ in zip(axes[2:], maps, strict=True):
        axis.imshow(render(map_))
        axis.set_title(TITLES[map_.name])
        scale = ScalarMappable(Normalize(map_.low, map_.high), colormaps[PALETTES[map_.kind]])
        figure.colorbar(scale, ax=axis, fraction=0.046, pad=0.03)
    for axis in axes:
        axis.set_axis_off()
    figure.savefig(PICTURE, pil_kwargs={"quality": 88, "optimize": True})


if __name__ == "__main__":
    draw()
