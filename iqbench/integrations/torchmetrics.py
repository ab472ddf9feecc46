"""Scores of an `iqbench.Evaluator` as metrics of torchmetrics.

`EvaluatorMetric` computes one column and is a `torchmetrics.Metric`. `EvaluatorCollection` computes
several columns and is a `torchmetrics.MetricCollection`, which scores each image once for all of
them.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from iqbench.engine.kept_features import KeptFeatures
from iqbench.engine.ranks import rank
from iqbench.evaluator import Evaluator
from iqbench.images.memory import Images
from iqbench.integrations._scoring import Scoring
from iqbench.metrics._registry import Request, resolve_column
from iqbench.packages import missing_package
from iqbench.protocols.presets import resolve_protocol

try:
    from torchmetrics import Metric, MetricCollection
except ModuleNotFoundError as error:
    raise missing_package(error) from error

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EvaluatorCollection", "EvaluatorMetric"]

_LENGTH = 8
"""Bytes that tell how long a state is, in front of it."""


def _score(
    scoring: Scoring,
    device: torch.device,
    output: Tensor | Sequence[Tensor],
    reference: Tensor | Sequence[Tensor] | None,
    ids: Sequence[object] | Tensor | None,
) -> Tensor:
    """Score a batch; return what an evaluator then keeps, as bytes.

    The bytes tell whose they are: torchmetrics takes metrics of equal states for one metric.
    """
    evaluator = scoring.on(device)
    evaluator.update(output, reference, ids=ids)
    buffer = io.BytesIO()
    torch.save({"token": scoring.token, "state": evaluator.state_dict()}, buffer)
    evaluator.reset()
    content = buffer.getvalue()
    framed = bytearray(len(content).to_bytes(_LENGTH, "little") + content)
    return torch.frombuffer(framed, dtype=torch.uint8).to(device)


def _unite(scoring: Scoring, device: torch.device, packed: list[Tensor] | Tensor) -> Evaluator:
    """Return an evaluator that has the images of several batches.

    torchmetrics joins the list to one tensor when it gathers the states of ranks.
    """
    evaluator = scoring.on(device)
    batches = packed if isinstance(packed, list) else [packed]
    evaluator.load_state_dict(*(state["state"] for batch in batches for state in _states(batch)))
    return evaluator


def _states(packed: Tensor) -> Iterator[Any]:
    """Read the states that lie one after the other in some bytes."""
    content = packed.cpu().numpy().tobytes()
    while content:
        end = _LENGTH + int.from_bytes(content[:_LENGTH], "little")
        yield torch.load(io.BytesIO(content[_LENGTH:end]), weights_only=True)
        content = content[end:]


class _Scored:
    """A batch that was scored already, which the columns of a collection share."""

    def __init__(self, packed: Tensor) -> None:
        self.packed = packed


class EvaluatorMetric(Metric):
    """One column of an `iqbench.Evaluator`, as a metric of torchmetrics.

    Parameters
    ----------
    metric
        Spec or name of one column, e.g. ``psnr`` or ``lpips:net=vgg``. Of a metric that has
        several, the column that is called like the metric.
    protocol, precision, memory, weights, bits, gray_output, reference_set, features
        As of `iqbench.Evaluator`.
    **settings
        Of `torchmetrics.Metric`, such as ``sync_on_compute`` and ``process_group``.

    Attributes
    ----------
    column
        Name of the column, as in tables.
    higher_is_better
        As torchmetrics defines it; None where neither is better.

    Raises
    ------
    IqbenchError
        If the metric or protocol is unknown, or the metric has several columns. Weights that are
        missing are noticed at the first update.

    Notes
    -----
    `update`, `forward`, `compute`, `reset`, `clone`, pickling and synchronisation are those of
    torchmetrics. Images are scored where the metric is: move it by ``.to(device)``. The state is
    one row per image, as bytes in a tensor; no image is kept, and ranks may have different numbers
    of them. Networks are no part of the state, of a copy or of a checkpoint.
    """

    full_state_update: bool | None = False
    is_differentiable: bool | None = False
    images: list[Tensor]

    def __init__(
        self,
        metric: str,
        protocol: str = "rgb",
        *,
        precision: str = "exact",
        memory: int | None = None,
        weights: str | os.PathLike[str] | None = None,
        bits: int | None = 8,
        gray_output: str = "error",
        reference_set: Images | None = None,
        features: KeptFeatures = "keep",
        **settings: Any,
    ) -> None:
        scoring = Scoring(
            metrics=[metric],
            protocol=protocol,
            precision=precision,
            memory=memory,
            weights=weights,
            bits=bits,
            gray_output=gray_output,
            reference_set=reference_set,
            features=features,
        )
        self._set_up(scoring, resolve_column(metric, resolve_protocol(protocol).variants), settings)

    @classmethod
    def _of(cls, scoring: Scoring, request: Request, settings: dict[str, Any]) -> EvaluatorMetric:
        """Make the metric of one of several columns that are scored together."""
        made = cls.__new__(cls)
        made._set_up(scoring, request, settings)
        return made

    def _set_up(self, scoring: Scoring, request: Request, settings: dict[str, Any]) -> None:
        super().__init__(**settings)
        self.scoring = scoring
        self.column = request.column.name
        better = {"higher": True, "lower": False}.get(request.column.direction)
        # torchmetrics lets a class say it, but no instance: another column is another direction.
        self.__dict__["higher_is_better"] = better
        self.add_state("images", default=[], dist_reduce_fx="cat")
        self._begin()

    def _begin(self) -> None:
        """Start with an empty tensor: a rank without images then has one of the right type."""
        self.images.append(torch.zeros(0, dtype=torch.uint8, device=self.device))

    def update(
        self,
        preds: Tensor | Sequence[Tensor] | _Scored,
        target: Tensor | Sequence[Tensor] | None = None,
        *,
        ids: Sequence[object] | Tensor | None = None,
    ) -> None:
        """Score images and keep their values.

        Parameters
        ----------
        preds, target
            Outputs and references, as in `iqbench.Evaluator.update`.
        ids
            As there: images of one id count once, also over ranks.

        Raises
        ------
        IqbenchError
            As there.
        """
        if isinstance(preds, _Scored):
            self.images.append(preds.packed)
        else:
            self.images.append(_score(self.scoring, self.device, preds, target, ids))

    def compute(self) -> Tensor:
        """Return the mean of the column over images; NaN if one failed or there is none."""
        evaluator = _unite(self.scoring, self.device, self.images)
        mean = evaluator.compute(merge=False)[self.column]
        evaluator.reset()
        wide = torch.float32 if self.device.type == "mps" else torch.float64
        return torch.tensor(mean, dtype=wide, device=self.device)

    def reset(self) -> None:
        """Forget all images."""
        super().reset()
        self._begin()

    def set_dtype(self, dst_type: str | torch.dtype) -> EvaluatorMetric:
        """Return the metric as it is: its values do not depend on the type of a state."""
        return self

    def scores(self) -> pd.DataFrame:
        """Return one row per image, of all ranks; see `iqbench.Evaluator.scores`."""
        with self._united() as evaluator:
            return evaluator.scores(merge=False)

    def write(
        self,
        results: str | os.PathLike[str] = "results",
        *,
        method: str,
        dataset: str = "validation",
        replace: bool = False,
    ) -> None:
        """Write the scores of all ranks into a results folder; see `iqbench.Evaluator.write`."""
        with self._united() as evaluator:
            if rank() == 0:
                evaluator.write(
                    results, method=method, dataset=dataset, replace=replace, merge=False
                )

    @contextmanager
    def _united(self) -> Iterator[Evaluator]:
        """Give an evaluator that has the images of all ranks."""
        with self.sync_context(dist_sync_fn=self.dist_sync_fn, should_sync=self._to_sync):
            evaluator = _unite(self.scoring, self.device, self.images)
        try:
            yield evaluator
        finally:
            evaluator.reset()

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Plot one value or several; see `torchmetrics.Metric.plot`."""
        return self._plot(val, ax)


class EvaluatorCollection(MetricCollection):
    """Columns of an `iqbench.Evaluator`, each a metric; every image is scored once for all.

    Parameters
    ----------
    metrics
        Specs or column names; by default the protocol's or the default metrics.
    protocol, precision, memory, weights, bits, gray_output, reference_set, features
        As of `iqbench.Evaluator`.
    prefix, postfix
        Put before and after the names, e.g. ``val/``.
    **settings
        Of each `torchmetrics.Metric`.

    Raises
    ------
    IqbenchError
        If a metric or protocol is unknown.

    Notes
    -----
    Names are those of the columns; a dot in one becomes an underscore, as modules have no dots in
    their names. In a LightningModule: ``self.quality.update(output, target)``, then
    ``self.log_dict(self.quality)``.
    """

    def __init__(
        self,
        metrics: str | Sequence[str] = (),
        protocol: str = "rgb",
        *,
        precision: str = "exact",
        memory: int | None = None,
        weights: str | os.PathLike[str] | None = None,
        bits: int | None = 8,
        gray_output: str = "error",
        reference_set: Images | None = None,
        features: KeptFeatures = "keep",
        prefix: str | None = None,
        postfix: str | None = None,
        **settings: Any,
    ) -> None:
        scoring = Scoring(
            metrics=metrics,
            protocol=protocol,
            precision=precision,
            memory=memory,
            weights=weights,
            bits=bits,
            gray_output=gray_output,
            reference_set=reference_set,
            features=features,
        )
        members: dict[str, Metric | MetricCollection] = {
            request.column.name.replace(".", "_"): EvaluatorMetric._of(scoring, request, settings)
            for request in scoring.requests
        }
        # Not as a group of torchmetrics: its metrics share an update, but no forward.
        super().__init__(members, prefix=prefix, postfix=postfix, compute_groups=False)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Score images once, and keep their values; call it as `EvaluatorMetric.update`."""
        super().update(self._scored(*args, **kwargs))

    def forward(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Score images once, keep their values, and return the means of this batch."""
        return super().forward(self._scored(*args, **kwargs))

    def scores(self) -> pd.DataFrame:
        """Return one row per image and one column per metric; see `iqbench.Evaluator.scores`."""
        return self._first().scores()

    def write(
        self,
        results: str | os.PathLike[str] = "results",
        *,
        method: str,
        dataset: str = "validation",
        replace: bool = False,
    ) -> None:
        """Write the scores of all ranks into a results folder; see `iqbench.Evaluator.write`."""
        self._first().write(results, method=method, dataset=dataset, replace=replace)

    def _first(self) -> EvaluatorMetric:
        """Return a member; each has the rows of all columns."""
        member = next(iter(self.values()))
        assert isinstance(member, EvaluatorMetric)
        return member

    def _scored(
        self,
        preds: Tensor | Sequence[Tensor],
        target: Tensor | Sequence[Tensor] | None = None,
        *,
        ids: Sequence[object] | Tensor | None = None,
    ) -> _Scored:
        member = self._first()
        return _Scored(_score(member.scoring, member.device, preds, target, ids))
