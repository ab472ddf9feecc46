"""The published opinions themselves, at full size, under the blocks of the packaged datasets file.

The tables lie beside the repository where they are there at all; the images are only pretended.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from miniatures import CSIQ_COLUMNS, CSIQ_KINDS, lines, table
from needs import SHARED, read_beside

from iqbench.datasets.dataset import Dataset
from iqbench.datasets.layouts.live import _SCALE
from iqbench.datasets.load import PACKAGED_FILE, load_datasets

OPINIONS = SHARED / "data/mos"


def published(name: str) -> pd.DataFrame:
    path = read_beside(OPINIONS / name)
    return pd.read_csv(path, dtype={"image": str} if "csiq" in name else None)


def opened(
    name: str, root: Path, images: list[str], monkeypatch: pytest.MonkeyPatch, **options: object
) -> Dataset:
    """Open a packaged dataset of which the tables exist and the images are pretended."""

    def walk(folder: Path) -> Iterator[str]:
        yield from (path.relative_to(folder).as_posix() for path in folder.iterdir())
        yield from images

    monkeypatch.setattr("iqbench.datasets.file_index.walk", walk)
    spec = load_datasets(PACKAGED_FILE)[name]
    data = spec.data.model_copy(update=options)
    return spec.model_copy(update={"root": root, "data": data}).open()


def test_tid2013(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = published("tid2013_indices/data.csv")
    folder = tmp_path / "tid2013"
    pairs = zip(known["MOS"], known["name"].str.capitalize(), strict=True)
    lines(folder / "mos_with_names.txt", (f"{mos:.5f} {name}" for mos, name in pairs))
    lines(folder / "mos_std.txt", known["MOS_std"].map("{:.5f}".format))
    images = [f"distorted_images/{name}" for name in known["name"]]
    images += [f"reference_images/I{number:02}.BMP" for number in range(1, 26)]
    dataset = opened("TID2013", tmp_path, images, monkeypatch)
    outputs = {output.image: output for one in dataset.samples for output in one.outputs}
    opinion = outputs["i01_01_1"].opinion
    assert opinion
    assert opinion.mos == 5.51429
    # The square of the standard error is the 0.018 that the readme calls the MSE of each score.
    assert np.mean(known["MOS_std"] ** 2) == pytest.approx(0.018, abs=5e-4)
    assert opinion.std == pytest.approx(0.13013 * 38.84**0.5)


def test_kadid10k(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = published("vqmt/kadid10k.VQMT.csv")
    columns = ["dist_img", "ref_img", "dmos", "var"]
    table(tmp_path / "kadid10k" / "dmos.csv", columns, known[columns].to_numpy().tolist())
    names = {*known["dist_img"], *known["ref_img"]}
    dataset = opened("KADID-10k", tmp_path, [f"images/{name}" for name in names], monkeypatch)
    assert sum(len(sample.outputs) for sample in dataset.samples) == 10_125


def test_the_var_of_kadid10k_is_a_standard_deviation() -> None:
    known = published("vqmt/kadid10k.VQMT.csv")
    mean, spread = known["dmos"], known["var"]
    # Opinions are whole numbers from 1 to 5: a mean between two of them bounds their variance.
    part = mean - np.floor(mean)
    least, greatest = part * (1 - part), (mean - 1) * (5 - mean)
    as_deviation = spread**2
    assert (as_deviation > least - 0.03).all()
    assert (as_deviation < greatest + 0.1).all()
    assert (np.abs(spread - np.sqrt(least)) < 0.006).sum() > 1000
    assert (spread > greatest + 0.02).any()  # as a variance it would be impossible


def test_csiq(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = published("vqmt/csiq.VQMT.csv")
    kinds = {token: kind for kind, (_, token) in CSIQ_KINDS.items()}
    known["dst_type"] = known["dst_type"].map(kinds)
    rows = known[CSIQ_COLUMNS].to_numpy().tolist()
    table(tmp_path / "CSIQ" / "csiq.DMOS.csv", CSIQ_COLUMNS, rows)
    images = [f"src_imgs/{name}.png" for name in set(known["image"])]
    for name, kind, level in zip(known["image"], known["dst_type"], known["dst_lev"], strict=True):
        folder, token = CSIQ_KINDS[kind]
        images.append(f"dst_imgs/{folder}/{name}.{token}.{level}.png")
    dataset = opened("CSIQ", tmp_path, images, monkeypatch, opinions="csiq.DMOS.csv")
    assert sum(len(sample.outputs) for sample in dataset.samples) == 866


def test_opinions_of_live_are_on_the_scale() -> None:
    known = published("vqmt/LIVE2.VQMT.csv")
    assert known["dmos_new"].between(_SCALE.low, _SCALE.high).all()
    assert set(known["dst_type"]) == {"jp2k", "jpeg", "wn", "gblur", "fastfading"}
    # Single opinions on a scale of a hundred differ by more: this is an error of their mean.
    assert known["dmos_std"].mean() < 3
