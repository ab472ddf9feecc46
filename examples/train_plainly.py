"""Train a denoiser in a loop of plain PyTorch; the evaluator makes a method of each epoch."""

from __future__ import annotations

from pathlib import Path

import torch
from denoiser import DATASET, METRICS, RATE, Images, command, validation_images
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

import iqbench


def train(network: nn.Module, batches: DataLoader[Images], epochs: int, output: Path) -> None:
    """Train a denoiser in a plain loop."""
    evaluator = iqbench.Evaluator(METRICS, device="cpu")
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    step = 0
    for _ in range(epochs):
        for noisy, clean, _ in batches:
            optimiser.zero_grad()
            F.mse_loss(network(noisy), clean).backward()
            optimiser.step()
            step += 1
        evaluator.reset()
        with torch.no_grad():
            for noisy, clean, names in DataLoader(validation_images()):
                evaluator.update(network(noisy), clean, ids=names)
        evaluator.write(output / "results", method=f"step-{step}", dataset=DATASET)


main = command(train)

if __name__ == "__main__":
    main()
