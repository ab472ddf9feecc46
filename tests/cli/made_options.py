"""Options that runs over made folders are given."""

from __future__ import annotations

PSNR = ("--metric", "psnr")


ONE = ("--method", "out/one")
HR = ("--reference", "hr")
