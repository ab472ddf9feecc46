"""The base class of FID and KID: Inception's features and their options."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from iqbench.metrics._base import Column
from iqbench.metrics._inception_features import MARGIN, InceptionExtractor, Resizer
from iqbench.metrics._sets import SetMetric

__all__ = ["InceptionDistance"]


class InceptionDistance(SetMetric):
    """A distance between Inception's features of two sets.

    A subclass defines `name`, `summary`, `decimals` and `distance`.
    """

    symmetric: ClassVar[bool] = True
    decimals: ClassVar[int]

    resizer: Resizer = "clean"
    patches: Annotated[int, Field(ge=0)] = 0

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, whose name contains the options that are not the default."""
        return (
            Column(
                f"{self.name}{self.extractor.suffix}",
                "lower",
                self.summary,
                (),
                self.extractor.options,
                decimals=self.decimals,
                headline=True,
                margin=MARGIN,
            ),
        )

    @property
    def extractor(self) -> InceptionExtractor:
        """Inception, with the metric's resizer and patches."""
        return InceptionExtractor(self.resizer, self.patches)
