"""The reason why an output was not scored, in one line."""

from __future__ import annotations

import numpy as np
import pytest

import iqbench
from iqbench import IqbenchWarning
from iqbench.engine.ledger import reasons
from iqbench.images.write import write_png


def test_each_reason_is_shown_once_after_its_columns():
    errors = {"psnr": "too small", "fid": "no weights", "ssim": "too small"}
    assert reasons(errors) == "psnr, ssim: too small; fid: no weights"


def test_columns_stand_in_the_order_of_the_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    write_png(tmp_path / "ref" / "a.png", noise)
    write_png(tmp_path / "out" / "a.png", noise[:190])
    with pytest.warns(IqbenchWarning, match="first a: ssim, psnr: .*Nothing is resized"):
        iqbench.evaluate(methods=["out"], reference="ref", metrics=["ssim", "piqe", "psnr"])
