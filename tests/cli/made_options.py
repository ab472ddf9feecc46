"""Options for runs over made folders."""

from __future__ import annotations

PSNR = ("--metric", "psnr")


ONE = ("--method", "out/one")
HR = ("--reference", "hr")
