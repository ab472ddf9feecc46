"""A small denoiser of photographs, and what its training is made of: images, scores, curves.

The three examples that train it differ in their loops alone, so their tables are equal.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import matplotlib
import pandas as pd
import torch
from matplotlib.figure import Figure
from pictures import as_markdown, photograph, write_strip
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import iqbench

SIGMA = 25 / 255
METRICS = ["psnr", "ssim", "lpips-alex"]
DATASET = "photographs"
PATCH, BATCH, RATE = 40, 8, 2e-3
SIDE = 112
TRAINING = {"astronaut": (0, 0, 512), "rocket": (20, 100, 400), "coffee": (0, 100, 400)}
VALIDATION = {"chelsea": (60, 90), "camera": (60, 150), "grass": (0, 0)}

Images = tuple[Tensor, Tensor, str]
"""A noisy image, the clean one, and its name."""

Train = Callable[[nn.Module, DataLoader[Images], int, Path], None]
"""Trains a network on batches for so many epochs, and writes scores of each into a folder."""


class Denoiser(nn.Module):
    """The noisy image minus the noise that four convolutions see in it."""

    def __init__(self, channels: int = 24) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before in (3, channels, channels):
            layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU()]
        last = nn.Conv2d(channels, 3, 3, padding=1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.noise = nn.Sequential(*layers, last)

    def forward(self, noisy: Tensor) -> Tensor:
        """Denoise (N, 3, H, W)."""
        return noisy - self.noise(noisy)


class Patches(Dataset[Images]):
    """Squares of photographs with noise; each place has its own seed."""

    def __init__(self, count: int) -> None:
        self._photographs = [photograph(name, *square) for name, square in TRAINING.items()]
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place: int) -> Images:
        generator = torch.Generator().manual_seed(place)
        image = self._photographs[place % len(self._photographs)][0]
        top, left = (
            int(torch.randint(side - PATCH, (), generator=generator)) for side in image.shape[1:]
        )
        clean = image[:, top : top + PATCH, left : left + PATCH]
        return add_noise(clean, generator), clean, str(place)


def add_noise(clean: Tensor, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise."""
    return clean + SIGMA * torch.randn(clean.shape, generator=generator)


def validation_images() -> list[Images]:
    """Return photographs that nothing is trained on."""
    generator = torch.Generator().manual_seed(0)
    clean = [photograph(name, *corner, SIDE)[0] for name, corner in VALIDATION.items()]
    return [
        (add_noise(image, generator), image, name)
        for image, name in zip(clean, VALIDATION, strict=True)
    ]


def write_noisy(output: Path) -> None:
    """Score what the network gets, to compare with."""
    evaluator = iqbench.Evaluator(METRICS, device="cpu")
    for noisy, clean, name in validation_images():
        evaluator.update(noisy[None], clean[None], ids=[name])
    evaluator.write(output / "results", method="noisy", dataset=DATASET)


def table_of(output: Path) -> pd.DataFrame:
    """Return the means of each epoch."""
    scores = iqbench.load_scores(output / "results")
    means = scores.groupby(["method", "metric"], observed=True)["value"].mean().unstack()
    order = sorted(means.index, key=lambda method: int(method.partition("-")[2] or 0))
    arrows = {"psnr": "PSNR ↑", "ssim": "SSIM ↑", "lpips-alex": "LPIPS alex ↓"}
    return means.loc[order, METRICS].rename(columns=arrows)


def draw_curves(table: pd.DataFrame, file: Path) -> None:
    """Draw each column over the steps; the noisy input is step 0."""
    steps = [int(method.partition("-")[2] or 0) for method in table.index]
    matplotlib.rcParams["svg.hashsalt"] = "iqbench"  # equal curves are equal files
    figure = Figure(figsize=(9, 2.6), layout="constrained")
    for column, axes in zip(table, figure.subplots(1, len(table.columns)), strict=True):
        axes.plot(steps, table[column], marker="o", color="tab:blue")
        axes.set(title=column, xlabel="step", xticks=steps)
        axes.grid(alpha=0.3)
    figure.savefig(file, metadata={"Date": None})


def command(train: Train) -> click.Command:
    """Return the command that trains by a loop, and shows how the scores develop."""

    @click.command(help=train.__doc__)
    @click.option("--output", type=click.Path(path_type=Path), default=Path("results/denoiser"))
    @click.option("--epochs", type=click.IntRange(min=1), default=6, show_default=True)
    @click.option("--steps", type=click.IntRange(min=1), default=40, show_default=True)
    def main(output: Path, epochs: int, steps: int) -> None:
        torch.manual_seed(0)
        network = Denoiser()
        output.mkdir(parents=True, exist_ok=True)
        write_noisy(output)
        train(network, DataLoader(Patches(steps * BATCH), BATCH), epochs, output)
        table = table_of(output)
        draw_curves(table, output / "curves.svg")
        noisy, clean, _ = zip(*validation_images(), strict=True)
        with torch.no_grad():
            denoised = network(torch.stack(noisy))
        write_strip(output / "strip.jpg", [torch.stack(clean), torch.stack(noisy), denoised])
        click.echo(as_markdown(table))
        click.echo(f"\nCurves: {output / 'curves.svg'}")
        click.echo(f"From left to right in {output / 'strip.jpg'}: clean, noisy, denoised")

    return main
