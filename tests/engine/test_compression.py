"""Bits per pixel: counted from the bitstreams in a run under the protocol ``compression``."""

import numpy as np
import pytest

from iqbench import IqbenchWarning, evaluate, measure
from iqbench.images.write import write_png


@pytest.fixture
def folder(tmp_path):
    """Two references, pictures a level brighter as outputs, and their bitstreams."""
    generator = np.random.default_rng(0)
    for name, size in (("a", 96), ("b", 192)):
        pixels = generator.integers(0, 255, (16, 24, 3), dtype=np.uint8)
        write_png(tmp_path / "hr" / f"{name}.png", pixels)
        write_png(tmp_path / "codec" / f"{name}.png", pixels + 1)
        (tmp_path / "codec/bitstreams").mkdir(exist_ok=True)
        (tmp_path / f"codec/bitstreams/{name}.bin").write_bytes(bytes(size))
    return tmp_path


def bits(folder, **options):
    scores = evaluate(
        methods=[str(folder / "codec")],
        reference=str(folder / "hr"),
        results=str(folder / "results"),
        protocol="compression",
        metrics=["bpp", "psnr"],
        **options,
    )
    rows = scores[scores["metric"] == "bpp"].astype({"image": str}).set_index("image")
    return rows[["value", "error"]].to_dict("index")


def test_bits_per_pixel_are_8_bytes_over_the_pixels_of_the_reference(folder):
    found = bits(folder)
    assert {image: row["value"] for image, row in found.items()} == {"a": 2.0, "b": 4.0}


def test_a_changed_bitstream_is_counted_anew(folder):
    bits(folder)
    (folder / "codec/bitstreams/a.bin").write_bytes(bytes(48))
    assert bits(folder)["a"]["value"] == 1.0


def test_a_missing_bitstream_is_an_error_that_says_where_it_was_looked_for(folder):
    (folder / "codec/bitstreams/b.bin").unlink()
    with pytest.warns(
        IqbenchWarning, match="codec: 1 output not scored, first b: bpp: no bitstream"
    ):
        found = bits(folder)
    assert found["a"]["value"] == 2.0
    assert "no bitstream" in found["b"]["error"]
    assert "bitstreams/b.*" in found["b"]["error"]


def test_a_single_pair_has_no_bitstream(folder):
    pair = folder / "hr/a.png", folder / "codec/a.png"
    frame = measure(*pair, metrics=["bpp", "psnr"], protocol="compression")
    assert "no bitstream" in frame["error"][0]
    assert frame["value"][1] == pytest.approx(20 * np.log10(255), abs=1e-4)
