"""The images that are scored: pairs made from photographs, the same every time."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "PHOTOGRAPHS",
    "WORKLOADS",
    "Job",
    "Workload",
    "find_jobs",
    "make_images",
    "photograph",
]

# In scikit-image's wheel. All PNG: every decoder reads them alike.
PHOTOGRAPHS = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "ihc.png",
    "motorcycle_left.png",
    "motorcycle_right.png",
)
Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Workload:
    """Pairs of one size, or up to that size and no two alike."""

    name: str
    pairs: int
    height: int
    width: int
    mixed: bool = False

    def __str__(self) -> str:
        kind = ", each smaller than the one before" if self.mixed else ""
        return f"{self.name}: {self.pairs} pairs {self.height}x{self.width}{kind}"

    def size(self, index: int) -> tuple[int, int]:
        """Say height and width of a pair."""
        return (self.height - 5 * index, self.width - 7 * index) if self.mixed else self.whole

    @property
    def whole(self) -> tuple[int, int]:
        """The largest height and width."""
        return self.height, self.width


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("W1", 24, 512, 768),
        Workload("W2", 100, 321, 481),
        Workload("W3", 8, 1356, 2040),
        Workload("mixed", 24, 512, 768, mixed=True),
    )
}


@dataclass(frozen=True)
class Job:
    """A reference and the output of each method for it."""

    image: str
    reference: Path
    outputs: dict[str, Path]


def make_images(workload: Workload, methods: int, folder: Path) -> None:
    """Write ``reference/*.png`` and ``methods/<method>/*.png``, 8-bit RGB.

    A photograph is continued by reflection to the size and shifted from image to image; a method's
    output is the reference with Gaussian noise, more of it from method to method.
    """
    photographs = [photograph(name) for name in PHOTOGRAPHS]
    for index in range(workload.pairs):
        source = photographs[index % len(photographs)]
        reference = _cut(source, index, *workload.size(index))
        _write(folder / "reference" / f"{index:03d}.png", reference)
        for method in range(1, methods + 1):
            noise = np.random.default_rng([index, method]).normal(
                0, 4 + 4 * method, reference.shape
            )
            output = np.clip(np.rint(reference + noise), 0, 255).astype(np.uint8)
            _write(folder / "methods" / f"noise{method}" / f"{index:03d}.png", output)


def find_jobs(folder: Path) -> list[Job]:
    """List what `make_images` wrote."""
    methods = sorted((folder / "methods").iterdir())
    return [
        Job(path.stem, path, {method.name: method / path.name for method in methods})
        for path in sorted((folder / "reference").iterdir())
    ]


def photograph(name: str) -> Image:
    """Read one of `PHOTOGRAPHS`."""
    package = find_spec("skimage")
    assert package is not None
    assert package.origin is not None
    image = cv2.imread(str(Path(package.origin).parent / "data" / name), cv2.IMREAD_COLOR)
    assert image is not None, name
    return np.asarray(image, dtype=np.uint8)


def _cut(photograph: Image, index: int, height: int, width: int) -> Image:
    """Continue by reflection, begin at another place for every index."""
    top, left = 37 * index, 61 * index
    rows = _reflected(top, height, photograph.shape[0])
    columns = _reflected(left, width, photograph.shape[1])
    return np.ascontiguousarray(photograph[rows][:, columns])


def _reflected(start: int, count: int, length: int) -> NDArray[np.int64]:
    places = np.arange(start, start + count) % (2 * length)
    return np.where(places < length, places, 2 * length - 1 - places)


def _write(path: Path, image: Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image), path
