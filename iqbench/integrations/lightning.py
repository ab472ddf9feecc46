"""Lightning: score the validation set each epoch, keep the best checkpoint, and write tables."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor
from typing_extensions import override

from iqbench.engine.kept_features import KeptFeatures
from iqbench.engine.plan import columns_of
from iqbench.errors import IqbenchError
from iqbench.evaluator import Evaluator
from iqbench.images.memory import Images
from iqbench.integrations._scoring import Scoring
from iqbench.integrations.loggers import MlflowLog, TensorBoardLog
from iqbench.integrations.worst import WorstImage, WorstImages
from iqbench.packages import missing_package
from iqbench.results.paths import slug
from iqbench.results.selector import Keys, pick
from iqbench.results.signature import headings
from iqbench.stats.gains import shortfall

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
    from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger
except ModuleNotFoundError as error:
    raise missing_package(error) from error

if TYPE_CHECKING:
    from iqbench.results.schema import ColumnInfo

__all__ = ["EvaluatorCallback"]

Step = Callable[[Any, Any], Mapping[str, Any]]
"""What `validation_step` returned and its batch in; the arguments of `Evaluator.update` out."""


class _Best(NamedTuple):
    value: float
    method: str
    path: str


class EvaluatorCallback(Callback):
    """Score the validation set by an `iqbench.Evaluator` each time that Lightning validates.

    Means are logged by column, so that loggers, `ModelCheckpoint` and `EarlyStopping` see them. The
    scores of each image are written into a results folder, a method for each validation.

    Parameters
    ----------
    metrics
        As of `iqbench.Evaluator`.
    protocol
        One protocol, or several, under each of which all metrics are computed.
    monitor
        Selector of the column by which the best checkpoint is kept, such as ``psnr`` or
        ``psnr[protocol=sr-y:scale=4]``. None keeps no checkpoint.
    images
        From what ``validation_step`` returned and its batch, return the arguments of
        `iqbench.Evaluator.update`: ``output`` and, where there are some, ``reference`` and ``ids``.
        By default ``validation_step`` returns them itself, as a dictionary.
    method
        What to call a checkpoint in tables and as a file: a format of ``epoch`` and ``step``.
    dataset
        What the images are; a name for each validation dataloader if there are several. The best
        checkpoint is that of the first.
    results
        The folder of tables; None writes none.
    checkpoints
        The folder of the best checkpoint; by default ``checkpoints`` in the trainer's root folder.
    weights_only
        Whether that checkpoint holds the weights alone.
    worst
        How many of the worst images are shown at each validation, side by side with their
        references and maps: by the monitored column, or else the first one that has a direction.
        The trainer's loggers of TensorBoard, Weights & Biases and MLflow get them.
    prefix
        Put before the names that are logged.
    precision, memory, weights, bits, gray_output, reference_set, features
        As of `iqbench.Evaluator`.

    Attributes
    ----------
    means
        Of the last validation: dataset to heading of a column to its mean.
    best_value, best_method, best_model_path
        Of the best checkpoint so far; NaN and empty before there is one.

    Raises
    ------
    IqbenchError
        If a metric or protocol is unknown. At the start of a fit: if weights are missing, or
        `monitor` means no column or several.

    Notes
    -----
    Scores are computed on the device of the model. Under several processes, the images of all ranks
    are merged and the rank 0 writes; with ids, the copies that a `DistributedSampler` pads with
    count once. Nothing is written at the sanity check and under ``fast_dev_run``. A mean that is
    NaN, because an image could not be scored, is never the best.
    """

    def __init__(
        self,
        metrics: str | Sequence[str] = (),
        protocol: str | Sequence[str] = "rgb",
        *,
        monitor: str | None = None,
        images: Step | None = None,
        method: str = "step-{step}",
        dataset: str | Sequence[str] = "validation",
        results: str | os.PathLike[str] | None = "results",
        checkpoints: str | os.PathLike[str] | None = None,
        weights_only: bool = False,
        worst: int = 0,
        prefix: str = "val/",
        precision: str = "exact",
        memory: int | None = None,
        weights: str | os.PathLike[str] | None = None,
        bits: int | None = 8,
        gray_output: str = "error",
        reference_set: Images | None = None,
        features: KeptFeatures = "keep",
    ) -> None:
        self._scorings = [
            Scoring(
                metrics=metrics,
                protocol=one,
                precision=precision,
                memory=memory,
                weights=weights,
                bits=bits,
                gray_output=gray_output,
                reference_set=reference_set,
                features=features,
            )
            for one in ([protocol] if isinstance(protocol, str) else protocol)
        ]
        self.monitor = monitor
        self.datasets = [dataset] if isinstance(dataset, str) else list(dataset)
        self.results = results
        self.checkpoints = checkpoints
        self.weights_only = weights_only
        self.worst = worst
        self.prefix = prefix
        self.means: dict[str, dict[str, float]] = {}
        self._images = images or _as_returned
        self._method = method
        self._named(0, 0)
        self._best = _Best(math.nan, "", "")
        self._evaluators: list[Evaluator] = []
        self._columns: dict[Keys, ColumnInfo] = {}
        self._monitored: Keys | None = None
        self._worst: WorstImages | None = None
        self._loader = 0
        self._states: dict[int, list[dict[str, Any]]] = {}

    @property
    def best_value(self) -> float:
        """The mean of the monitored column that the best checkpoint has."""
        return self._best.value

    @property
    def best_method(self) -> str:
        """What the best checkpoint is called in tables."""
        return self._best.method

    @property
    def best_model_path(self) -> str:
        """The file of the best checkpoint."""
        return self._best.path

    @property
    def state_key(self) -> str:
        """Tell the callback from others of its class in a checkpoint."""
        protocols = [scoring.options["protocol"] for scoring in self._scorings]
        return self._generate_state_key(
            monitor=self.monitor, protocols=protocols, datasets=self.datasets
        )

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: which one is the best."""
        return dict(self._best._asdict())

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what a checkpoint kept."""
        self._best = _Best(**state_dict)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Load the networks on the device of the model, and find the monitored column."""
        device = trainer.strategy.root_device
        self._evaluators = [scoring.on(device) for scoring in self._scorings]
        self._columns = {
            (name, evaluator.signatures[name]): info
            for scoring, evaluator in zip(self._scorings, self._evaluators, strict=True)
            for name, info in columns_of(scoring.requests).items()
        }
        self._monitored = None
        if self.monitor is not None:
            found = pick([self.monitor], self._columns, "column to keep the best checkpoint by")
            if len(found) > 1:
                names = headings(self._columns)
                raise IqbenchError(
                    f"{self.monitor} means several columns: "
                    f"{', '.join(sorted(names[keys] for keys in found))}",
                    hint="Name one of these as monitor",
                )
            (self._monitored,) = found
        self._worst = self._find_worst()

    def _find_worst(self) -> WorstImages | None:
        """Return what keeps the worst images; None if none are shown."""
        if not self.worst:
            return None
        directed = (keys for keys, info in self._columns.items() if info.direction != "none")
        keys = self._monitored or next(directed, None)
        if keys is None:
            raise IqbenchError(
                "no column has a direction by which images could be the worst",
                hint="Ask for a metric such as psnr, or leave out worst=",
            )
        name, signature = keys
        evaluator = next(one for one in self._evaluators if one.signatures.get(name) == signature)
        return WorstImages(evaluator, name, self.worst)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the images of the validation before."""
        if self._worst is not None:
            self._worst.reset()
        self._loader, self._states = 0, {}
        for evaluator in self._evaluators:
            evaluator.reset()

    @override
    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Tensor | Mapping[str, Any] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Score the images of a batch."""
        if trainer.sanity_checking:
            return
        self._turn_to(dataloader_idx)
        arguments = dict(self._images(outputs, batch))
        output, reference = arguments["output"], arguments.get("reference")
        for evaluator in self._evaluators:
            keeper = self._worst if self._worst and self._worst.evaluator is evaluator else None
            (keeper or evaluator).update(output, reference, ids=arguments.get("ids"))

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the means of all columns, and write the scores."""
        if trainer.sanity_checking:
            return
        self.means = {}
        method = self._named(trainer.current_epoch, trainer.global_step)
        for place in range(len(trainer.num_val_batches)):
            self._turn_to(place)
            dataset = self._dataset(place)
            self.means[dataset] = self._mean_of_columns()
            if self.results is not None and not _rehearses(trainer):
                for evaluator in self._evaluators:
                    evaluator.write(self.results, method=method, dataset=dataset)
        several = len(self.means) > 1
        pl_module.log_dict(
            {
                f"{self.prefix}{f'{dataset}/' if several else ''}{heading}": mean
                for dataset, means in self.means.items()
                for heading, mean in means.items()
            },
            # Each rank has the means of all of them already; without it Lightning warns.
            sync_dist=True,
        )
        if self._worst is not None and not _rehearses(trainer):
            worst = self._worst.images()
            if worst and trainer.is_global_zero:
                name = f"{self.prefix}worst/{worst[0].column}"
                for logger in trainer.loggers:
                    _show(logger, name, worst, trainer.global_step)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the checkpoint if it is the best, and then remove the one before."""
        if self._monitored is None or trainer.sanity_checking or _rehearses(trainer):
            return
        if trainer.state.fn != "fit":  # trainer.validate changes no checkpoint
            return
        heading = headings(self._columns)[self._monitored]
        value = next(iter(self.means.values()))[heading]
        before = self._best
        if not self._improves(value, before):
            return
        folder = Path(self.checkpoints or Path(trainer.default_root_dir) / "checkpoints")
        method = self._named(trainer.current_epoch, trainer.global_step)
        path = str(folder / f"{slug(method)}.ckpt")
        self._best = _Best(value, method, path)  # first: it is part of the checkpoint
        trainer.save_checkpoint(path, weights_only=self.weights_only)
        if before.path and before.path != path:
            trainer.strategy.remove_checkpoint(before.path)

    def _improves(self, value: float, before: _Best) -> bool:
        if math.isnan(value):
            return False
        assert self._monitored is not None
        now, then = shortfall([value, before.value], self._columns[self._monitored])
        return not before.path or bool(now < then)

    def _mean_of_columns(self) -> dict[str, float]:
        """Return the means of all evaluators by the headings of their columns."""
        names = headings(self._columns)
        return {
            names[name, evaluator.signatures[name]]: mean
            for evaluator in self._evaluators
            for name, mean in evaluator.compute().items()
        }

    def _turn_to(self, loader: int) -> None:
        """Go on with the images of another dataloader, and put away those of this one."""
        if loader == self._loader:
            return
        self._states[self._loader] = [one.state_dict() for one in self._evaluators]
        self._loader = loader
        for place, evaluator in enumerate(self._evaluators):
            evaluator.reset()
            if loader in self._states:
                evaluator.load_state_dict(self._states[loader][place])

    def _dataset(self, loader: int) -> str:
        if loader < len(self.datasets):
            return self.datasets[loader]
        raise IqbenchError(
            f"there are at least {loader + 1} validation dataloaders, but "
            f"{len(self.datasets)} names of datasets",
            hint='Name each of them: dataset=["Set5", "Set14"]',
        )

    def _named(self, epoch: int, step: int) -> str:
        """Return the name of a checkpoint."""
        try:
            return self._method.format(epoch=epoch, step=step)
        except (KeyError, IndexError, ValueError) as error:
            raise IqbenchError(
                f"{self._method!r} is not a format of epoch and step",
                hint="Write it like 'epoch-{epoch:03d}' or 'step-{step}'",
            ) from error


def _show(logger: Logger, name: str, worst: Sequence[WorstImage], step: int) -> None:
    """Write pictures into a logger, if it is of a kind that can show them."""
    if isinstance(logger, TensorBoardLogger):
        TensorBoardLog(logger.experiment).write_worst(name, worst, step)
    elif isinstance(logger, MLFlowLogger) and logger.run_id:
        MlflowLog(logger.experiment, logger.run_id).write_worst(name, worst, step)
    elif isinstance(logger, WandbLogger):  # it counts steps in its own way
        captions = [image.caption for image in worst]
        pictures = [image.picture for image in worst]
        logger.log_image(key=name, images=pictures, step=step, caption=captions)


def _rehearses(trainer: Trainer) -> bool:
    """Tell whether the trainer runs a few batches only, to find errors."""
    return bool(getattr(trainer, "fast_dev_run", False))


def _as_returned(outputs: Any, batch: Any) -> Mapping[str, Any]:
    """Take what ``validation_step`` returned for the arguments of `Evaluator.update`."""
    if not isinstance(outputs, Mapping) or "output" not in outputs:
        raise IqbenchError(
            "validation_step does not return the images to score",
            hint='Return {"output": ..., "reference": ..., "ids": ...} from it, or give the '
            "callback images=..., which makes them of what it returns and the batch",
        )
    return outputs
