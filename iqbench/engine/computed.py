"""Outputs that a function computes during the scoring, instead of files."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from iqbench.errors import IqbenchError, exits_as_errors
from iqbench.images.memory import TensorSource, image_sources
from iqbench.images.probe import ImageHeader
from iqbench.images.source import Content
from iqbench.metrics._images import check_images

__all__ = ["ComputedSource"]


@dataclass(eq=False)
class ComputedSource:
    """An output that a function gives when it is asked for it.

    Attributes
    ----------
    name
        What to call it in messages.
    prepare
        Makes the input; its time does not count.
    compute
        Makes the output of it: whatever `iqbench.images.memory.image_sources` takes.
    timed
        Whether the time that `compute` takes says something.
    seconds
        That time, once it is known.
    """

    name: str
    prepare: Callable[[], object]
    compute: Callable[[object], object]
    timed: bool = True
    seconds: float | None = field(default=None, init=False)

    def probe(self) -> ImageHeader:
        """Tell nothing: there is no image yet."""
        raise IqbenchError(f"{self.name} is computed when it is read")

    def size(self) -> int:
        """Return 0: there are no bytes to read."""
        return 0

    def read(self) -> Content:
        """Compute the image.

        Raises
        ------
        IqbenchError
            If the function fails, or what it gives is not an image.
        """
        given = self.prepare()
        _wait()
        begun = time.perf_counter()
        try:
            with exits_as_errors():
                image = self.compute(given)
            _wait()
        except IqbenchError:
            raise
        except Exception as error:  # the user's code
            first_line = str(error).partition("\n")[0]
            raise IqbenchError(
                f"{self.name} failed: {type(error).__name__}: {first_line}"
            ) from error
        if self.timed:
            self.seconds = time.perf_counter() - begun
        (source,) = image_sources(self.name, [image], 8)
        if isinstance(source, TensorSource):
            check_images(source.name, source.image)
        return source.read()


def _wait() -> None:
    """Wait for what GPUs still do."""
    cuda: Any = torch.cuda  # its type hints lag behind
    if cuda.is_available() and cuda.is_initialized():
        cuda.synchronize()
