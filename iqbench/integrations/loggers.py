"""Write scores and the worst images into TensorBoard, Weights & Biases or MLflow.

Each log uses an object of the tool's own package: a ``SummaryWriter``, a run, or a client. Only the
tool itself sends data anywhere.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from iqbench.engine.ranks import rank
from iqbench.integrations.worst import WorstImage
from iqbench.packages import missing_package

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

__all__ = ["MlflowLog", "ScoreLog", "TensorBoardLog", "WandbLog"]


class ScoreLog(ABC):
    """Where means of columns and pictures go.

    Parameters
    ----------
    prefix
        Put before the names of all columns, e.g. ``val/``.
    """

    def __init__(self, prefix: str = "val/") -> None:
        self.prefix = prefix

    def log(self, means: Mapping[str, float], step: int, worst: Sequence[WorstImage] = ()) -> None:
        """Write scores of one step; under `torch.distributed`, the rank 0 alone writes.

        Parameters
        ----------
        means
            Column to mean, as `iqbench.Evaluator.compute` returns them.
        step
            Of the training.
        worst
            What `iqbench.integrations.worst.WorstImages.images` returns.
        """
        if rank() != 0:
            return
        self.write_means({f"{self.prefix}{name}": mean for name, mean in means.items()}, step)
        if worst:
            self.write_worst(f"{self.prefix}worst/{worst[0].column}", worst, step)

    @abstractmethod
    def write_means(self, means: Mapping[str, float], step: int) -> None:
        """Write numbers by name."""

    @abstractmethod
    def write_worst(self, name: str, worst: Sequence[WorstImage], step: int) -> None:
        """Write pictures of one name, the worst one first."""


class TensorBoardLog(ScoreLog):
    """Event files of TensorBoard.

    Scalars are named as the columns; pictures ``worst/COLUMN/1`` (the worst) and so on, so that a
    slider goes through the steps; ``worst/COLUMN`` is a text that names them.

    Parameters
    ----------
    writer
        ``torch.utils.tensorboard.SummaryWriter``; a folder makes one, which `close` closes.
    prefix
        As of `ScoreLog`.

    Raises
    ------
    IqbenchError
        If a folder is given and the package tensorboard is not installed.
    """

    def __init__(self, writer: SummaryWriter | str, prefix: str = "val/") -> None:
        super().__init__(prefix)
        if isinstance(writer, str):
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ModuleNotFoundError as error:
                raise missing_package(error) from error
            writer = SummaryWriter(writer)
        self.writer: Any = writer  # torch has no types for it

    def write_means(self, means: Mapping[str, float], step: int) -> None:
        """Write scalars."""
        for name, mean in means.items():
            self.writer.add_scalar(_safe(name, r"\w./-"), mean, step)

    def write_worst(self, name: str, worst: Sequence[WorstImage], step: int) -> None:
        """Write pictures, and a text with their captions."""
        tag = _safe(name, r"\w./-")
        for place, image in enumerate(worst, start=1):
            self.writer.add_image(f"{tag}/{place}", image.picture, step, dataformats="HWC")
        captions = [f"{place}. {image.caption}" for place, image in enumerate(worst, start=1)]
        self.writer.add_text(tag, "\n".join(captions), step)

    def close(self) -> None:
        """Write what waits, and close the files."""
        self.writer.close()


class WandbLog(ScoreLog):
    """A run of Weights & Biases, online or offline.

    Pictures are one list, ``worst/COLUMN``, with captions.

    Parameters
    ----------
    run
        What ``wandb.init`` returned.
    prefix
        As of `ScoreLog`.
    """

    def __init__(self, run: Any, prefix: str = "val/") -> None:
        super().__init__(prefix)
        self.run = run

    def write_means(self, means: Mapping[str, float], step: int) -> None:
        """Log numbers."""
        self.run.log(dict(means), step=step)

    def write_worst(self, name: str, worst: Sequence[WorstImage], step: int) -> None:
        """Log pictures with captions.

        Raises
        ------
        IqbenchError
            If the package wandb is not installed.
        """
        try:
            from wandb import Image
        except ModuleNotFoundError as error:
            raise missing_package(error) from error
        images = [Image(image.picture, caption=image.caption) for image in worst]
        self.run.log({name: images}, step=step)


class MlflowLog(ScoreLog):
    """A run of MLflow.

    Pictures are artifacts ``worst/COLUMN/step-STEP/1.png`` and so on, with their captions beside
    them. In names, signs that MLflow refuses become underscores.

    Parameters
    ----------
    client
        ``mlflow.MlflowClient``, of any tracking address, a local folder among them.
    run_id
        Of the run, e.g. ``mlflow.active_run().info.run_id``.
    prefix
        As of `ScoreLog`.
    """

    def __init__(self, client: Any, run_id: str, prefix: str = "val/") -> None:
        super().__init__(prefix)
        self.client = client
        self.run_id = run_id

    def write_means(self, means: Mapping[str, float], step: int) -> None:
        """Log numbers."""
        for name, mean in means.items():
            self.client.log_metric(self.run_id, _safe(name, r"\w./ :-"), mean, step=step)

    def write_worst(self, name: str, worst: Sequence[WorstImage], step: int) -> None:
        """Log pictures and a text with their captions."""
        folder = _safe(f"{name}/step-{step}", r"\w./ -")
        for place, image in enumerate(worst, start=1):
            self.client.log_image(self.run_id, image.picture, f"{folder}/{place}.png")
        captions = [f"{place}. {image.caption}" for place, image in enumerate(worst, start=1)]
        self.client.log_text(self.run_id, "\n".join(captions), f"{folder}/captions.md")


def _safe(name: str, signs: str) -> str:
    """Replace what a tool refuses in names; `signs` are those of a regular expression's class."""
    return re.sub(rf"[^{signs}]+", "_", name)
