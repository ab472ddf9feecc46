"""Bits per pixel: counted from the bitstreams in a run under the protocol ``compression``."""

import numpy as np
import pytest

from iqbench import IqbenchWarning, evaluate, load_scores, measure
from iqbench.images.write import write_png
from iqbench.results.schema import bitstream_mark, output_mark, pair_digest


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


def test_bits_per_pixel_are_8_bytes_over_the_pixels_of_the_output(folder):
    found = bits(folder)
    assert {image: row["value"] for image, row in found.items()} == {"a": 2.0, "b": 4.0}


def test_a_changed_bitstream_is_counted_again(folder):
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
    assert "measure reads pictures, not bitstreams" in frame["error"][0]
    assert frame["value"][1] == pytest.approx(20 * np.log10(255), abs=1e-4)


def alone(folder, **options):
    scores = evaluate(
        methods=[folder / "codec"], metrics=["bpp"], results=folder / "results", **options
    )
    return dict(zip(scores["image"].astype(str), scores["value"], strict=True))


class TestIdentity:
    """A value is tied to the bitstream, and to the size of the output: to what it read."""

    @pytest.fixture
    def scored(self, monkeypatch):
        """The columns that are scored from now on, one entry per output."""
        from iqbench.engine.ledger import Ledger

        found = []
        score = Ledger.score

        def noted(self, output, outcomes):
            found.append((output.image.image, sorted(outcomes)))
            return score(self, output, outcomes)

        monkeypatch.setattr(Ledger, "score", noted)
        return found

    def test_without_references(self, folder):
        assert alone(folder) == {"a": 2.0, "b": 4.0}

    def test_a_second_run_computes_nothing(self, folder, scored):
        bits(folder)
        scored.clear()
        assert bits(folder)["a"]["value"] == 2.0
        assert scored == []

    def test_a_changed_reference_leaves_it_current(self, folder, scored):
        before = bits(folder)
        write_png(folder / "hr/a.png", np.full((16, 24, 3), 7, np.uint8))
        scored.clear()
        assert bits(folder) == before
        assert scored == [("a", ["psnr"])]

    def test_a_reference_that_is_added_leaves_it_current(self, folder, scored):
        alone(folder, protocol="compression")
        scored.clear()
        assert bits(folder, dataset_name="outputs")["b"]["value"] == 4.0
        assert sorted(scored) == [("a", ["psnr"]), ("b", ["psnr"])]

    def test_a_changed_bitstream_costs_its_own_value(self, folder, scored):
        bits(folder)
        (folder / "codec/bitstreams/a.bin").write_bytes(b"x" * 96)
        scored.clear()
        assert bits(folder)["a"]["value"] == 2.0
        assert scored == [("a", ["bpp"])]

    def test_a_bitstream_that_changed_makes_it_stale_in_a_run_of_other_metrics(self, folder):
        bits(folder)
        (folder / "codec/bitstreams/a.bin").write_bytes(bytes(48))
        (folder / "codec/bitstreams/b.bin").unlink()
        evaluate(
            methods=[folder / "codec"],
            reference=folder / "hr",
            results=folder / "results",
            protocol="compression",
            metrics=["psnr"],
        )
        assert load_scores(folder / "results")["metric"].tolist() == ["psnr", "psnr"]

    def test_a_run_of_other_metrics_leaves_it_current(self, folder):
        bits(folder)
        write_png(folder / "codec/a.png", np.full((16, 24, 3), 7, np.uint8))
        evaluate(
            methods=[folder / "codec"],
            reference=folder / "hr",
            results=folder / "results",
            protocol="compression",
            metrics=["ssim"],
        )
        rows = load_scores(folder / "results", filters={"metric": ["bpp"]})
        assert rows["value"].tolist() == [2.0, 4.0]

    def test_an_output_of_another_size_is_another_value(self, folder):
        alone(folder)
        write_png(folder / "codec/a.png", np.full((32, 24, 3), 7, np.uint8))
        assert alone(folder) == {"a": 1.0, "b": 4.0}

    def test_an_output_that_does_not_fit_its_reference_keeps_it(self, folder):
        write_png(folder / "codec/a.png", np.full((32, 24, 3), 7, np.uint8))
        with pytest.warns(IqbenchWarning, match="its reference"):
            assert bits(folder)["a"]["value"] == 1.0

    def test_a_table_of_sizes_is_read_line_by_line(self, folder, scored):
        for file in (folder / "codec/bitstreams").iterdir():
            file.unlink()
        (folder / "codec/bitstreams.csv").write_text("image,bytes\na,96\nb,192\n")
        bits(folder)
        (folder / "codec/bitstreams.csv").write_text("image,bytes\na,48\nb,192\n")
        scored.clear()
        assert bits(folder)["a"]["value"] == 1.0
        assert scored == [("a", ["bpp"])]


def test_a_bitstream_names_no_pair_and_no_output():
    mark = bitstream_mark("a" * 64, 2, 3)
    assert mark not in (output_mark("a" * 64), pair_digest("a" * 64, "a" * 64))
    assert mark != bitstream_mark("a" * 64, 3, 2)
    assert bitstream_mark(None, 2, 3) is None
