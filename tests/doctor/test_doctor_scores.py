"""The doctor compares scores, bands and tables with values of other implementations."""

from __future__ import annotations

import pytest
import torch
from made_findings import CPU, off

from iqbench.doctor.scores import FEW_BYTES, Bench, check_bands, check_scores, check_tables
from iqbench.engine import bands, scorer
from iqbench.metrics.psnr import Psnr
from iqbench.networks import weights

NOT_HERE = dict.fromkeys(weights.DEFAULT_NETWORKS, "not here")


@pytest.fixture(scope="module")
def pixel_bench():
    """A bench without networks: quick."""
    return Bench.set_up(CPU, NOT_HERE, None)


class TestScores:
    def test_a_wrong_metric_is_named_with_its_deviation(self, pixel_bench, monkeypatch):
        right = Psnr.close
        monkeypatch.setattr(Psnr, "close", lambda *given: right(*given) + 0.01)
        bench = Bench.set_up(CPU, NOT_HERE, None)
        wrong = off(check_scores(bench))
        assert {finding.group for finding in wrong} == {"psnr"}
        assert [finding.deviation for finding in wrong] == pytest.approx([0.01] * 7, rel=1e-3)
        assert (wrong[0].tolerance, wrong[0].unit) == (1e-5, "dB")
        assert "by scikit-image" in wrong[0].note
        # It is the metric that is wrong, not the streaming.
        assert not off(check_bands(bench))
        assert {finding.group for finding in off(check_tables(CPU))} == {
            "scores written as Parquet and read back"
        }

    def test_a_value_that_is_not_there_is_off(self, monkeypatch):
        right = Psnr.close
        monkeypatch.setattr(Psnr, "close", lambda *given: right(*given) * torch.nan)
        wrong = off(check_scores(Bench.set_up(CPU, NOT_HERE, None)))
        assert {finding.note for finding in wrong} == {"the value is not a number"}

    @pytest.mark.usefixtures("pretrained_networks")
    def test_few_bytes_make_several_bands(self, monkeypatch):
        plans = []

        def plan(*given, **options):
            plans.append(bands.plan_bands(*given, **options))
            return plans[-1]

        monkeypatch.setattr(scorer, "plan_bands", plan)
        bench = Bench.set_up(CPU, {}, None)
        statuses = {finding.status for finding in check_bands(bench)}
        assert statuses == {"ok"}
        whole, banded = plans
        assert len(whole.bands()) == 1
        assert len(banded.bands()) >= 2
        assert CPU.memory > FEW_BYTES

    def test_rows_that_streaming_gets_wrong_are_off(self, pixel_bench, monkeypatch):
        right = Bench.score

        def score(self, recorded, memory=None):
            found = right(self, recorded, memory)
            if memory is not None:
                found["ssim"] = type(found["ssim"])(found["ssim"].value + 1e-3)
            return found

        monkeypatch.setattr(Bench, "score", score)
        (wrong,) = off(check_bands(pixel_bench))
        assert wrong.check == "ssim of astronaut in bands"

    def test_tables_are_read_back_and_nothing_is_left(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        findings = list(check_tables(CPU))
        assert len(findings) == 9
        assert {finding.status for finding in findings} == {"ok"}
        assert not list(tmp_path.iterdir())
