"""Train a denoiser with Lightning; a callback scores each epoch and keeps the best checkpoint."""

from __future__ import annotations

from pathlib import Path

import click
import lightning.pytorch as lightning
import torch
from denoiser import DATASET, METRICS, RATE, Images, command, validation_images
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from iqbench.integrations.lightning import EvaluatorCallback

Batch = tuple[Tensor, Tensor, list[str]]


class Training(lightning.LightningModule):
    """How the network is trained and validated."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def training_step(self, batch: Batch, place: int) -> Tensor:
        """Return the loss of a batch."""
        noisy, clean, _ = batch
        return F.mse_loss(self.network(noisy), clean)

    def validation_step(self, batch: Batch, place: int) -> dict[str, object]:
        """Return what the callback scores."""
        noisy, clean, names = batch
        return {"output": self.network(noisy), "reference": clean, "ids": names}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimiser."""
        return torch.optim.Adam(self.parameters(), lr=RATE)


def train(network: nn.Module, batches: DataLoader[Images], epochs: int, output: Path) -> None:
    """Train a denoiser with Lightning."""
    quality = EvaluatorCallback(
        METRICS,
        monitor="psnr",
        method="step-{step}",
        dataset=DATASET,
        results=output / "results",
        checkpoints=output / "checkpoints",
    )
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=[quality],
        default_root_dir=output,
        logger=False,
        enable_checkpointing=False,  # the callback keeps the best one
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Training(network), batches, DataLoader(validation_images()))
    click.echo(f"Best checkpoint: {quality.best_model_path}")


main = command(train)

if __name__ == "__main__":
    main()
