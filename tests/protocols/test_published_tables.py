"""Published tables are reproduced image by image from the authors' own images."""

import json

import pytest
import torch
from needs import SHARED, needs

from iqbench import functional
from iqbench.images.picture import Picture
from iqbench.images.resize import imresize_uint8
from iqbench.images.source import FileSource
from iqbench.protocols.presets import resolve_protocol

DATA = SHARED / "data"
TABLE = DATA / "published_bicubic.json"
CPU = torch.device("cpu")


def read(path):
    return FileSource(path).read().decode().pixels


@needs(TABLE)
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("dataset", ["Set5", "Set14"])
def test_bicubic_of_selfexsr(dataset, scale):
    # SelfExSR quant_eval, column Bicubic: all images, PSNR within .001 dB, SSIM within .0001.
    view = resolve_protocol(f"sr-y-rounded:scale={scale}").fidelity
    published = json.loads(TABLE.read_text())["tables"][f"{dataset}_x{scale}"]
    assert len(published) == {"Set5": 5, "Set14": 14}[dataset]
    for image, expected in published.items():
        reference = read(DATA / dataset / f"HR_x{scale}" / f"{image}.png")
        low = read(DATA / dataset / f"LR_bicubic_x{scale}" / f"{image}.png")
        output = imresize_uint8(low, scale=scale)
        rows = slice(0, view.window(*reference.shape[:2]).height)
        seen = [
            view.band(Picture(pixels, "", image, 0), rows, CPU) for pixels in (reference, output)
        ]
        assert functional.psnr(*seen).item() == pytest.approx(expected["psnr"], abs=0.001), image
        assert functional.ssim(*seen).item() == pytest.approx(expected["ssim"], abs=0.0001), image
