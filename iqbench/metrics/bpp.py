"""Bits per pixel of a compressed image."""

from __future__ import annotations

from typing import ClassVar

from iqbench.metrics._base import Column, Metric, Needs

__all__ = ["BitsPerPixel"]


class BitsPerPixel(Metric):
    """bpp = 8 bytes / (H W), with the size of the bitstream and the size of the output.

    The number of bytes is that of the compressed file, never of the decoded image. It comes from
    ``bitstreams/<id>.<any>`` beside a method's outputs, or from ``bitstreams.csv`` with the columns
    image and bytes.
    """

    name: ClassVar[str] = "bpp"
    summary: ClassVar[str] = "Bits of the bitstream per pixel of the output"
    version: ClassVar[int] = 2
    citation: ClassVar[str] = "Begaint et al. 2020, arXiv:2011.03029 (CompressAI)"
    needs: ClassVar[Needs] = "bitstream"

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, ``bpp``."""
        return (Column("bpp", "lower", self.summary, (), headline=True, role="cost"),)

    def bitstream_value(self, size: int, height: int, width: int) -> float:
        """Return the bits per pixel of a bitstream of `size` bytes."""
        return 8 * size / (height * width)
