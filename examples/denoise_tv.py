"""Denoise photographs by minimising a data term and total variation (Rudin, Osher, Fatemi 1992).

Three weights of the same loss, and the squared form of total variation for comparison: that one
blurs edges, which total variation proper keeps.
"""

from __future__ import annotations

from pathlib import Path

import click
import torch
from pictures import as_markdown, photograph, score, write_strip
from torch import Tensor
from torch.nn import functional as F

from iqbench.losses import TVLoss

SIGMA = 25 / 255
PHOTOGRAPHS = {
    "astronaut": (20, 130),
    "chelsea": (60, 90),
    "coffee": (90, 160),
}
METHODS = {
    "tv-weak": (TVLoss("iso"), 0.05),
    "tv": (TVLoss("iso"), 0.13),
    "tv-strong": (TVLoss("iso"), 0.5),
    "squared": (TVLoss("sq"), 2.0),
}


def denoise(
    noisy: Tensor, variation: TVLoss, weight: float, iterations: int
) -> tuple[Tensor, list[float]]:
    """Minimise ``MSE(image, noisy) + weight * variation(image)``.

    Returns the image, and the values of the sum.
    """
    image = noisy.clone().requires_grad_()
    optimiser = torch.optim.Adam([image], lr=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, iterations)
    losses = []
    for _ in range(iterations):
        loss = F.mse_loss(image, noisy) + weight * variation(image)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return image.detach().clamp(0, 1), losses


@click.command()
@click.option("--output", type=click.Path(path_type=Path), default=Path("results/denoise-tv"))
@click.option("--iterations", type=click.IntRange(min=1), default=200, show_default=True)
@click.option("--size", type=click.IntRange(min=32, max=200), default=160, show_default=True)
def main(output: Path, iterations: int, size: int) -> None:
    """Denoise three photographs with TVLoss, and score the results."""
    clean = torch.cat([photograph(name, *at, size) for name, at in PHOTOGRAPHS.items()])
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    noisy = (clean + SIGMA * noise).clamp(0, 1)
    images = {"reference": clean, "noisy": noisy}
    for method, (variation, weight) in METHODS.items():
        images[method], _ = denoise(noisy, variation, weight, iterations)
    write_strip(output / "strip.jpg", list(images.values()))
    click.echo(as_markdown(score(output, list(PHOTOGRAPHS), images)))
    click.echo(f"\nFrom left to right in {output / 'strip.jpg'}: {', '.join(images)}")


if __name__ == "__main__":
    main()
