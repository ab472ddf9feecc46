"""The golden files and values equal those that their recorder makes."""

from __future__ import annotations

import numpy as np
import pytest
import record_golden as recorder
import yaml
from PIL import Image

from iqbench.doctor.golden import FOLDER, load_golden
from iqbench.metrics._registry import DEFAULT_METRICS, resolve_metrics

PIXELS = ("fidelity", "tv")
BIGGEST = 128 * 1024


@pytest.mark.parametrize(("pair", "protocol", "families"), recorder.RECORDED)
def test_values_of_pixels_are_recorded_again(pair, protocol, families):
    (recorded,) = (
        item.columns
        for item in load_golden().values
        if (item.pair, item.protocol) == (pair, protocol)
    )
    again = recorder.record(pair, protocol, [name for name in families if name in PIXELS])
    # Other versions of numpy and scikit-image may add in another order.
    assert {name: recorded[name] for name in again} == pytest.approx(again, rel=1e-9)


@pytest.mark.usefixtures("pretrained_networks")
def test_values_of_networks_are_recorded_again():
    recorded = next(item.columns for item in load_golden().values if item.pair == "chelsea")
    again = recorder.record("chelsea", "rgb", ("perceptual", "lpips-alex", "lpips-vgg"))
    assert len(again) == 8
    assert {name: recorded[name] for name in again} == pytest.approx(again, rel=1e-6)


def test_every_column_of_the_default_metrics_is_recorded():
    columns = {column for item in load_golden().values for column in item.columns}
    requests = resolve_metrics(DEFAULT_METRICS)
    assert columns == {request.column.name for request in requests}
    for request in requests:
        assert request.column.tolerance is not None, request.column.name
        assert request.column.tolerance.reason
    for item in load_golden().values:
        assert set(item.by) == set(item.columns)
        assert set(item.by.values()) <= set(load_golden().recorded_with)


@pytest.mark.parametrize("pair", load_golden().pairs)
def test_the_files_are_those_of_the_recorder(pair):
    for side, pixels in zip(("reference", "output"), recorder.pairs()[pair], strict=True):
        # By another decoder than the engine's.
        stored = np.asarray(Image.open(FOLDER / side / f"{pair}.png"))
        assert np.array_equal(stored.reshape(pixels.shape), pixels)


def test_recorded_pixels_are_those_of_another_decoder():
    with np.load(FOLDER / "decoder" / "pixels.npz", allow_pickle=False) as stored:
        assert set(stored) == set(recorder.encoded())
        for name in stored:
            if name.startswith("rgb-16"):  # Pillow would make 8 bits of it
                continue
            pixels = np.asarray(Image.open(FOLDER / "decoder" / name))
            assert np.array_equal(pixels.reshape(stored[name].shape), stored[name]), name


def test_pairs_are_odd_and_of_several_kinds():
    shapes = [pixels.shape for pair in recorder.pairs().values() for pixels in pair]
    kinds = {(shape[2], pixels.dtype) for pixels, shape in zip(_all(), shapes, strict=True)}
    assert kinds == {(3, np.dtype(np.uint8)), (1, np.dtype(np.uint16))}
    assert all(side % 2 for shape in shapes for side in shape[:2])


def _all():
    return [pixels for pair in recorder.pairs().values() for pixels in pair]


def test_what_ships_is_small_and_says_where_it_is_from():
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < BIGGEST
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    for word in (*recorder.pairs(), "NASA", "CC0", "record_golden.py"):
        assert word in text
    listed = {path.relative_to(FOLDER).as_posix() for path in files}
    assert listed == {*load_golden().files, "README.md", "golden.yaml"}


def test_the_versions_are_stated():
    golden = yaml.safe_load((FOLDER / "golden.yaml").read_text(encoding="utf-8"))
    assert set(golden["recorded_with"]) == set(recorder.PACKAGES)
