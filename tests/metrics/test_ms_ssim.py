"""MS-SSIM: against an independent implementation, streamed and whole, and in dB."""

import numpy as np
import pytest
import torch
from skimage import data

from iqbench.errors import IqbenchError
from iqbench.functional import ms_ssim
from iqbench.metrics.ms_ssim import MsSsim


def tensors(image, deviation=0.06):
    noise = np.random.default_rng(0).normal(0, deviation, image.shape)
    output = np.clip(image + noise, 0, 1)
    return [torch.from_numpy(array).permute(2, 0, 1)[None] for array in (image, output)]


# piq 0.8.0: piq.multi_scale_ssim(*tensors(image), data_range=1.0); even sizes, where all agree.
@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (data.astronaut() / 255, 0.9109618566616366),
        (data.camera()[..., None] / 255, 0.8504389139006008),
    ],
    ids=["colour", "gray"],
)
def test_values_are_those_of_piq(image, expected):
    assert ms_ssim(*tensors(image)).item() == pytest.approx(expected, abs=1e-9)


def test_decibels_are_of_what_is_missing_to_1():
    values = {f"{scale}.0": torch.tensor([0.9], dtype=torch.float64) for scale in range(1, 6)}
    metric = MsSsim()
    plain, decibels = (metric.close(name, values).item() for name in ("ms-ssim", "ms-ssim-db"))
    assert plain == pytest.approx(0.9 ** (0.0448 + 0.2856 + 0.3001 + 0.2363 + 0.1333))
    assert decibels == pytest.approx(-10 * np.log10(1 - plain))


def test_a_negative_scale_counts_as_nothing():
    values = {f"{scale}.0": torch.tensor([0.9]) for scale in range(1, 6)}
    values["3.0"] = torch.tensor([-0.1])
    assert MsSsim().close("ms-ssim", values).item() == 0


def test_the_short_side_must_have_176_pixels():
    assert ms_ssim(*(torch.rand(2, 1, 1, 176, 200))).isfinite()
    with pytest.raises(IqbenchError, match=r"\(175, 200\) are too small"):
        ms_ssim(*(torch.rand(2, 1, 1, 175, 200)))
