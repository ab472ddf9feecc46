"""Conventions of SSIM and PSNR have the same values with and without the compiled loops."""

from __future__ import annotations

import pytest
import torch
from made_pairs import measured, write_pair
from skimage import data

from iqbench.native import library

pytestmark = pytest.mark.usefixtures("compiled_loops")


def values(pair, metric):
    survey, *_ = measured(*pair, metric, 4)
    return {convention: survey.value(convention) for convention in survey.found}


@pytest.mark.parametrize("metric", ["psnr", "ssim"])
def test_every_value_is_the_plain_one(tmp_path, monkeypatch, metric):
    paths = write_pair(tmp_path, data.astronaut()[100:157, 200:265])
    fast = values(paths, metric)
    with monkeypatch.context() as patch:
        patch.setattr(library, "available", lambda: False)
        plain = values(paths, metric)
    assert len(fast) > 500
    assert list(fast) == list(plain)
    found, expected = (torch.tensor(list(numbers.values())) for numbers in (fast, plain))
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6, equal_nan=True)
