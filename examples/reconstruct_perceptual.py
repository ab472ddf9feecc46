"""Train one small super-resolution network with MSE and with a perceptual loss, from one start.

After the same beginning both see the same patches in the same order. One goes on with the mean
squared error, the other with the distance of VGG16's features (Johnson et al. 2016).
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import click
import torch
from pictures import Loss, as_markdown, photograph, score, write_strip
from torch import Tensor, nn
from torch.nn import functional as F

from iqbench.losses import PerceptualLoss

SCALE, PATCH, BATCH = 2, 48, 4
# Top, left and size of the squares that are seen in training, and of those that are not.
TRAINING = {"astronaut": (0, 0, 512), "rocket": (20, 100, 400), "coffee": (0, 100, 400)}
TESTED = {"chelsea": (20, 90, 160), "camera": (60, 150, 160), "grass": (0, 0, 160)}


class Upscaler(nn.Module):
    """Bicubic enlargement and a correction, which is zero before training."""

    def __init__(self, channels: int = 32, depth: int = 4) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before in (3, *[channels] * (depth - 1)):
            layers += [nn.Conv2d(before, channels, 3, padding=1), nn.LeakyReLU(0.1)]
        last = nn.Conv2d(channels, 3, 3, padding=1, bias=False)
        nn.init.zeros_(last.weight)
        # Enlarging before the last convolutions leaves no checkerboard, as a pixel shuffle may.
        enlarge = nn.Upsample(scale_factor=SCALE, mode="bilinear")
        self.correction = nn.Sequential(*layers[:-2], enlarge, *layers[-2:], last)

    def forward(self, image: Tensor) -> Tensor:
        """Enlarge (N, 3, H, W)."""
        return enlarge(image) + self.correction(image)


def shrink(image: Tensor) -> Tensor:
    """Make the input: antialiased bicubic downscaling."""
    return F.interpolate(image, scale_factor=1 / SCALE, mode="bicubic", antialias=True)


def enlarge(image: Tensor) -> Tensor:
    """Enlarge without learning anything."""
    return F.interpolate(image, scale_factor=SCALE, mode="bicubic")


def batch(photographs: list[Tensor], generator: torch.Generator) -> Tensor:
    """Cut patches at random places."""
    patches = []
    for _ in range(BATCH):
        image = photographs[int(torch.randint(len(photographs), (), generator=generator))]
        top, left = torch.randint(image.shape[2] - PATCH, (2,), generator=generator).tolist()
        patches.append(image[..., top : top + PATCH, left : left + PATCH])
    return torch.cat(patches)


def train(network: nn.Module, loss: Loss, iterations: int, rate: float) -> list[float]:
    """Minimise the loss of outputs against targets; return its values."""
    photographs = [photograph(name, *square) for name, square in TRAINING.items()]
    generator = torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, iterations)
    losses = []
    for _ in range(iterations):
        target = batch(photographs, generator)
        value = loss(network(shrink(target)), target)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        schedule.step()
        losses.append(value.item())
    return losses


@click.command()
@click.option("--output", type=click.Path(path_type=Path), default=Path("results/reconstruct"))
@click.option("--iterations", type=click.IntRange(min=1), default=200, show_default=True)
def main(output: Path, iterations: int) -> None:
    """Train with MSE and with PerceptualLoss; score both on photographs that they have not seen."""
    torch.manual_seed(0)
    start = Upscaler()
    train(start, F.mse_loss, 2 * iterations, rate=2e-3)
    losses: dict[str, Loss] = {
        "mse": F.mse_loss,
        "perceptual": PerceptualLoss("vgg16", ("relu1_2", "relu2_2"), distance="l2"),
    }
    clean = torch.cat([photograph(name, *square) for name, square in TESTED.items()])
    images = {"reference": clean, "bicubic": enlarge(shrink(clean))}
    for method, loss in losses.items():
        network = deepcopy(start)
        train(network, loss, iterations, rate=1e-3)
        with torch.no_grad():
            images[method] = network(shrink(clean))
    write_strip(output / "strip.jpg", list(images.values()))
    click.echo(as_markdown(score(output, list(TESTED), images)))
    click.echo(f"\nFrom left to right in {output / 'strip.jpg'}: {', '.join(images)}")


if __name__ == "__main__":
    main()
