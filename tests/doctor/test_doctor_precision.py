"""The doctor finds every setting that lowers the precision."""

from __future__ import annotations

from contextlib import contextmanager
from operator import attrgetter
from types import SimpleNamespace

import pytest
import torch
from made_findings import CPU, off, statuses

from iqbench.doctor import precision as precision_part
from iqbench.doctor.precision import EXACT, OVERRIDE, check_precision
from iqbench.engine import compute

NEW_SWITCHES = hasattr(torch.backends.cuda.matmul, "fp32_precision")


@contextmanager
def switched(place):
    """Turn TF32 on as a user's program does; gives the flag's name and its value."""
    flag, value = ("fp32_precision", "tf32") if NEW_SWITCHES else ("allow_tf32", True)
    holder = attrgetter(place)(torch.backends)
    before = getattr(holder, flag)
    setattr(holder, flag, value)
    try:
        yield flag, value
    finally:
        setattr(holder, flag, before)


class TestPrecision:
    def test_float32_is_float32(self):
        findings = list(check_precision(CPU))
        assert {finding.status for finding in findings} == {"ok"}
        deviations = [finding.deviation for finding in findings if finding.deviation is not None]
        assert len(deviations) == 2
        assert 0 < max(deviations) < EXACT / 5

    def test_tf32_left_on_is_named(self):
        with switched("cuda.matmul") as (flag, value):
            (wrong,) = off(check_precision(CPU))
            # Looking changes nothing.
            assert getattr(torch.backends.cuda.matmul, flag) == value
        assert f"torch.backends.cuda.matmul.{flag} is {value!r}" in wrong.note
        assert "set_float32_matmul_precision('highest')" in wrong.note

    @pytest.mark.parametrize(("value", "status"), [("1", "off"), ("0", "ok"), (None, "ok")])
    def test_the_environment_can_force_tf32(self, monkeypatch, value, status):
        if value is None:
            monkeypatch.delenv(OVERRIDE, raising=False)
        else:
            monkeypatch.setenv(OVERRIDE, value)
        assert statuses(check_precision(CPU))[OVERRIDE] == status

    def test_products_of_tf32_are_recognised_whatever_the_switches_say(self, monkeypatch):
        right = torch.matmul

        def ten_bits(values):
            if values.dtype != torch.float32:
                return values
            return (values.view(torch.int32) + 0x1000 & ~0x1FFF).view(torch.float32)

        monkeypatch.setattr(torch, "matmul", lambda a, b: right(ten_bits(a), ten_bits(b)))
        (wrong,) = off(check_precision(CPU))
        assert wrong.check == "float32 matrix product against float64"
        assert 10 * EXACT < wrong.deviation < 1e-3
        assert "TF32 or bfloat16 is on" in wrong.note

    def test_switches_that_do_not_work_are_named(self, monkeypatch):
        monkeypatch.setattr(compute, "_switches", lambda tf32: ([], "", False))
        with switched("cudnn.conv" if NEW_SWITCHES else "cudnn"):
            found = statuses(check_precision(CPU))
        assert found["torch's settings while iqbench computes"] == "off"
        assert found["torch's settings as found"] == "ok"  # it is torch's default

    def test_the_switches_of_an_older_torch_are_read(self, monkeypatch):
        older = SimpleNamespace(
            cuda=SimpleNamespace(matmul=SimpleNamespace(allow_tf32=True)),
            cudnn=SimpleNamespace(allow_tf32=True),
        )
        fake = SimpleNamespace(backends=older)
        monkeypatch.setattr(precision_part, "torch", fake)
        assert precision_part._switches() == {
            "torch.backends.cuda.matmul.allow_tf32": True,
            "torch.backends.cudnn.allow_tf32": True,
        }
        found = precision_part._left_on()
        assert found.status == "off"
        assert "cuda.matmul.allow_tf32 is True" in found.note
        assert "cudnn" not in found.note
