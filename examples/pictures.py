"""What the examples share: photographs as tensors, files of pictures, iqbench's scores of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import skimage.data
import torch
from PIL import Image
from torch import Tensor

import iqbench

Loss = Callable[[Tensor, Tensor], Tensor]
"""Output and target in, a number to be minimised out."""

COLUMNS = {
    "psnr": "PSNR ↑",
    "ssim": "SSIM ↑",
    "tv-ratio": "TV ratio →1",
    "perceptual-vgg16-relu2_2-l1": "relu2_2 ↓",
    "perceptual-vgg16-relu4_3-l1": "relu4_3 ↓",
    "lpips-alex": "LPIPS alex ↓",
    "lpips-vgg": "LPIPS vgg ↓",
}


def photograph(name: str, top: int, left: int, size: int, zoom: int = 1) -> Tensor:
    """Cut a square out of a photograph that scikit-image ships.

    Parameters
    ----------
    name, top, left
        Of the photograph, and where the square begins.
    size, zoom
        Of the square that is returned; it is cut ``zoom`` times as large and shrunk.

    Returns
    -------
    Tensor
        (1, 3, size, size) in [0, 1].
    """
    pixels = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
    side = size * zoom
    square = pixels.crop((left, top, left + side, top + side)).resize((size, size), Image.BOX)
    values = torch.frombuffer(bytearray(square.tobytes()), dtype=torch.uint8)
    return values.reshape(1, size, size, 3).permute(0, 3, 1, 2) / 255


def to_picture(image: Tensor) -> Image.Image:
    """Round (1, 3, H, W) in [0, 1] to 8 bits."""
    rounded = (image[0].detach().clamp(0, 1) * 255 + 0.5).to(torch.uint8)
    return Image.fromarray(rounded.permute(1, 2, 0).contiguous().numpy())


def write_pictures(folder: Path, names: Sequence[str], images: Tensor) -> None:
    """Write (N, 3, H, W) as ``folder/name.png``, N of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in zip(names, images.split(1), strict=True):
        to_picture(image).save(folder / f"{name}.png")


def write_strip(path: Path, columns: Sequence[Tensor], gap: int = 4) -> None:
    """Write batches of (N, 3, H, W) side by side, a row for each of the N images."""
    count, _, height, width = columns[0].shape
    size = len(columns) * (width + gap) - gap, count * (height + gap) - gap
    strip = Image.new("RGB", size, "white")
    for column, images in enumerate(columns):
        for row, image in enumerate(images.split(1)):
            strip.paste(to_picture(image), (column * (width + gap), row * (height + gap)))
    path.parent.mkdir(parents=True, exist_ok=True)
    strip.save(path, quality=80, subsampling=0)


def score(folder: Path, names: Sequence[str], methods: Mapping[str, Tensor]) -> pd.DataFrame:
    """Score batches of images against the first of them with iqbench.

    Parameters
    ----------
    folder
        Gets ``references/``, ``outputs/METHOD/`` and the tables, ``results/``.
    names
        Of the N images.
    methods
        (N, 3, H, W) each. The first is the reference.

    Returns
    -------
    DataFrame
        One row per method, one column per metric, means over the images.
    """
    (_, reference), *outputs = methods.items()
    write_pictures(folder / "references", names, reference)
    for method, images in outputs:
        write_pictures(folder / "outputs" / method, names, images)
    scores = iqbench.evaluate(
        methods=[folder / "outputs" / method for method, _ in outputs],
        reference=folder / "references",
        results=folder / "results",
    )
    means = scores.groupby(["method", "metric"], observed=True)["value"].mean().unstack()
    rows = [method for method, _ in outputs]
    values = means.loc[rows, list(COLUMNS)].to_numpy()
    return pd.DataFrame(values, index=rows, columns=list(COLUMNS.values()))


def as_markdown(table: pd.DataFrame) -> str:
    """Print a table with three decimals, as terminals and Markdown both show it."""
    head = ["method", *table.columns]
    rows = [[str(name), *(f"{value:.3f}" for value in row)] for name, *row in table.itertuples()]
    widths = [max(map(len, cells)) for cells in zip(head, *rows, strict=True)]
    lines = [head, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])], *rows]
    return "\n".join(
        "| " + " | ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) + " |"
        for line in lines
    )
