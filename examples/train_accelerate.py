"""Train a denoiser with Hugging Face Accelerate, in one process or, by torchrun, in several.

The evaluator merges the images of all processes by itself.
"""

from __future__ import annotations

from pathlib import Path

import torch
from accelerate import Accelerator
from denoiser import DATASET, METRICS, RATE, Images, command, validation_images
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

import iqbench


def train(network: nn.Module, batches: DataLoader[Images], epochs: int, output: Path) -> None:
    """Train a denoiser with Accelerate."""
    accelerator = Accelerator(cpu=True)
    evaluator = iqbench.Evaluator(METRICS, device=accelerator.device)
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    network, optimiser, batches, validation = accelerator.prepare(
        network, optimiser, batches, DataLoader(validation_images())
    )
    step = 0
    for _ in range(epochs):
        for noisy, clean, _ in batches:
            optimiser.zero_grad()
            accelerator.backward(F.mse_loss(network(noisy), clean))
            optimiser.step()
            step += 1
        evaluator.reset()
        with torch.no_grad():
            for noisy, clean, names in validation:
                # With ids, the images by which Accelerate fills the last batches count once.
                evaluator.update(network(noisy), clean, ids=names)
        # Every process calls this; the images of all are merged, and the first one writes.
        evaluator.write(output / "results", method=f"step-{step}", dataset=DATASET)
    accelerator.wait_for_everyone()


main = command(train)

if __name__ == "__main__":
    main()
