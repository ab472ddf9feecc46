"""The images behind `format1/`: made by integer arithmetic, so that their bytes never change."""

from __future__ import annotations

from pathlib import Path

import numpy as np

IMAGES = ("bark", "moss", "reed", "sand")
METHODS = {"sharp": 5, "soft": 23}
MISSING = ("soft", "sand")
HEIGHT, WIDTH = 20, 24


def write_tiny_images(root: Path) -> None:
    """Write references in ``hr``, outputs in ``out/<method>``, and rated pairs in ``rated.csv``."""
    rated = ["reference,output,method,mos,mos_direction"]
    for seed, image in enumerate(IMAGES):
        reference = _pixels(seed)
        _write(root / "hr" / f"{image}.ppm", reference)
        for method, amount in METHODS.items():
            if (method, image) == MISSING:
                continue
            change = _noise(seed + amount) % (2 * amount + 1) - amount
            output = np.clip(reference.astype(np.int64) + change, 0, 255).astype(np.uint8)
            _write(root / "out" / method / f"{image}.ppm", output)
            opinion = 5 - amount // 8 - seed % 2
            rated.append(f"hr/{image}.ppm,out/{method}/{image}.ppm,{method},{opinion},higher")
    (root / "rated.csv").write_text("\n".join(rated) + "\n", encoding="utf-8", newline="\n")


def _noise(seed: int) -> np.ndarray:
    """Spread the position of every sample over 0..65535 by a linear congruence."""
    place = np.arange(HEIGHT * WIDTH * 3, dtype=np.int64).reshape(HEIGHT, WIDTH, 3)
    for _ in range(3):
        place = (place * 75 + 74 + 1009 * seed) % 65537
    return place


def _pixels(seed: int) -> np.ndarray:
    rows, columns, channels = np.mgrid[:HEIGHT, :WIDTH, :3]
    ramp = 40 + 4 * rows + 3 * columns + 10 * channels
    return (ramp + _noise(seed) % 21).astype(np.uint8)


def _write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"P6\n%d %d\n255\n" % (WIDTH, HEIGHT) + pixels.tobytes())
