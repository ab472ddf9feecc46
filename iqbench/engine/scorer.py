"""Score one batch of references with all their outputs: the core of the engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from iqbench.engine.bands import Plan, pixels_at_once, plan_bands
from iqbench.engine.batch import Batch
from iqbench.engine.batch_pass import BatchPass
from iqbench.engine.compute import Compute
from iqbench.engine.grouping import Group, Outcome, group_requests
from iqbench.engine.observations import Observations, Scores, reason_of
from iqbench.engine.resources import Resources
from iqbench.errors import IqbenchError
from iqbench.images.picture import Picture
from iqbench.metrics._base import Column, Tap
from iqbench.metrics._registry import Request
from iqbench.protocols.gray import LumaInRgbError, arrange
from iqbench.protocols.presets import Protocol
from iqbench.protocols.view import View
from iqbench.readers.choose import choose_readers
from iqbench.readers.reader import MetricError, Owners, Prepared, Reader

__all__ = ["Scorer"]


class Scorer:
    """Scores batches under one protocol.

    Parameters
    ----------
    requests
        The columns to compute.
    protocol
        Gives each family of metrics its view.
    resources
        Networks and parameters of the requests.
    compute
        Device, precision and memory budget.
    """

    def __init__(
        self,
        requests: Sequence[Request],
        protocol: Protocol,
        resources: Resources,
        compute: Compute,
    ) -> None:
        self._requests = tuple(requests)
        self._groups = group_requests(requests, protocol)
        self._resources = resources
        self._on_host = {
            metric: {name: tensor.cpu() for name, tensor in tensors.items()}
            for metric, tensors in resources.parameters.items()
        }
        self._compute = compute

    @property
    def whole_columns(self) -> tuple[Request, ...]:
        """The columns that are not streamed: they take whole images."""
        return tuple(item for item in self._requests if item.needs_whole_images)

    def score(self, batch: Batch) -> list[dict[str, Outcome]]:
        """Score every output of a batch; see `start`.

        Returns
        -------
        list of dict
            For each output, column name to its value or to why there is none.
        """
        return self.start(batch).finish()

    def start(self, batch: Batch) -> Scores:
        """Set a batch going; a GPU may still compute when this returns.

        Each reference goes through each network once, whatever the number of its outputs; each
        output once. On a GPU that runs out of memory the bands are halved and the batch begins
        again; where that does not help, its outputs are scored one by one. Whatever fails for a
        column and an output is the error of that one value.

        Parameters
        ----------
        batch
            References and outputs.

        Returns
        -------
        Scores
            On their way.

        Raises
        ------
        IqbenchError
            If the batch has one output, and not even one row of it fits into the device's memory.
        """
        compute = self._compute
        while True:
            try:
                return self._start(batch, compute)
            except torch.cuda.OutOfMemoryError as error:
                if compute.memory < 1 << 20:
                    if len(batch.outputs) > 1:
                        break
                    raise IqbenchError(
                        f"{batch.references[0].name} does not fit into the memory of the device",
                        hint="Use --device cpu or free the device",
                    ) from error
            # Not before the error is gone: its traceback holds the tensors.
            torch.cuda.empty_cache()
            compute = compute.halved(min(pixels_at_once(compute), batch.pixels))
        torch.cuda.empty_cache()
        return self._one_by_one(batch)

    @property
    def _names(self) -> list[str]:
        """Names of the image-level columns that read pixels, in the order asked for."""
        return [
            item.column.name
            for item in self._requests
            if item.metric.needs != "bitstream" and item.metric.scope == "image"
        ]

    def _one_by_one(self, batch: Batch) -> Scores:
        """Score each output as a batch of its own, and keep the error of those that fail."""
        scores = Scores(batch, self._names, self._on_host)
        for place, outcomes in enumerate(scores.found):
            try:
                (found,) = self.score(batch.part(slice(place, place + 1)))
            except IqbenchError as error:
                found = {name: Outcome(None, str(error)) for name in self._names}
            outcomes.update(found)
        return scores

    def _start(self, batch: Batch, compute: Compute) -> Scores:
        scores = Scores(batch, self._names, self._on_host)
        with compute.active():
            for group in self._groups:
                self._start_group(group, batch, compute, scores)
        return scores

    def _start_group(self, group: Group, batch: Batch, compute: Compute, scores: Scores) -> None:
        """Stream a batch through everything that reads one view."""
        if group.alone:
            batch = batch.without_references()
        first = batch.references[0]
        try:
            window = group.view.window(first.height, first.width)
        except IqbenchError as error:
            columns = [request.column for request in group.requests]
            _fill(scores.found, columns, f"undefined: {error.message}")
            return
        small = group.too_small(self._resources.backbones, window.height, window.width)
        for request in group.requests:
            reason = small.get(request.column.name)
            if reason:
                _fill(scores.found, (request.column,), f"undefined: {reason}")
        group = group.without(small)
        if not group.requests:
            return
        try:
            references, outputs = arrange(group.view, batch.references, batch.outputs)
        except IqbenchError as error:
            luma = isinstance(error, LumaInRgbError)
            reason = f"undefined: {error.message}" if luma else str(error)
            _fill(scores.found, [request.column for request in group.requests], reason)
            return
        batch = Batch(references, outputs, batch.owners)
        everything = slice(0, len(batch.outputs))
        self._observe(group, batch, everything, compute, scores)

    def _observe(
        self, group: Group, batch: Batch, places: slice, compute: Compute, scores: Scores
    ) -> None:
        """Observe the outputs at some places of a batch.

        What a metric raises is an error of its own values, of the outputs that it fails on: the
        others are observed again without it. Where something else fails, columns and outputs are
        halved until the value that makes it fail is alone.
        """
        part = batch.part(places)
        first = part.references[0]
        window = group.view.window(first.height, first.width)
        plan = plan_bands(
            group,
            self._resources.backbones,
            compute,
            size=(group.view.channels(first.channels), window.height, window.width),
            references=0 if group.alone else len(part.references),
            outputs=len(part.outputs),
        )
        chunks = _chunks(len(part.outputs), plan.outputs)
        try:
            found = self._stream(group, part, compute, plan, chunks)
        except MetricError as failure:
            if len(part.outputs) > 1:
                for place in range(places.start, places.stop):
                    self._observe(group, batch, slice(place, place + 1), compute, scores)
                return
            mine = [item for item in group.requests if item.metric == failure.metric]
            reason = reason_of(failure.metric, failure.__cause__)
            _fill(scores.found[places], [item.column for item in mine], reason)
            others = group.of(item for item in group.requests if item not in mine)
            if others.requests:
                self._observe(others, batch, places, compute, scores)
            return
        except torch.cuda.OutOfMemoryError:
            raise  # smaller bands may help
        except Exception as error:  # of a network, a reader or a view: whose fault is to be found
            reason = reason_of(None, error)
        else:
            for chunk, observations in zip(chunks, found, strict=True):
                there = slice(places.start + chunk.start, places.start + chunk.stop)
                scores.add(group.requests, there, observations)
            return
        # Not before the error is gone: its traceback holds the tensors.
        for smaller, some in _halves(group, places):
            self._observe(smaller, batch, some, compute, scores)
        if len(group.requests) == 1 and places.stop - places.start == 1:
            _fill(scores.found[places], [group.requests[0].column], reason)

    def _stream(
        self,
        group: Group,
        batch: Batch,
        compute: Compute,
        plan: Plan,
        chunks: list[slice],
    ) -> list[Observations]:
        """Push bands: the references once, then every chunk of outputs against them."""
        backbones, device = self._resources.backbones, compute.device
        readers: dict[Tap, list[Reader]] = {}
        for reader in choose_readers(group.readers, self._resources.parameters, device):
            readers.setdefault(reader.tap, []).append(reader)
        window = group.view.window(batch.references[0].height, batch.references[0].width)
        size = window.height, window.width
        lane, *lanes = (
            BatchPass(readers, backbones, compute.dtype, size) for _ in range(len(chunks) + 1)
        )
        found = [Observations() for _ in chunks]
        gains = _gains(group.view, batch)
        owners = [Owners(batch.owners[chunk], len(batch.references), device) for chunk in chunks]
        for rows in plan.bands():
            last = rows.stop == plan.height
            prepared: dict[Reader, Prepared] = {
                reader: () for tap in readers for reader in readers[tap]
            }
            if any(reader.reads_reference for reader in prepared):
                seen = _band(batch.references, group.view, rows, device)
                for tap, values, _ in lane.push(seen, last=last):
                    prepared |= {reader: reader.prepare(values) for reader in readers[tap]}
            for chunk, other, owner, kept in zip(chunks, lanes, owners, found, strict=True):
                outputs = _band(batch.outputs[chunk], group.view, rows, device, gains[chunk])
                for tap, values, place in other.push(outputs, last=last):
                    for reader in readers[tap]:
                        kept.add(reader.observe(prepared[reader], owner, values, place))
        return found


def _gains(view: View, batch: Batch) -> list[float]:
    """Return by what each output is multiplied before it is scored."""
    return [
        view.gain(batch.references[owner], output)
        for output, owner in zip(batch.outputs, batch.owners, strict=True)
    ]


def _band(
    pictures: Sequence[Picture],
    view: View,
    rows: slice,
    device: torch.device,
    gains: Sequence[float] | None = None,
) -> Tensor:
    """Return some rows of all pictures, (N, C, rows, W)."""
    gains = gains or [1.0] * len(pictures)
    return view.bands(pictures, rows, device, gains)


def _halves(group: Group, places: slice) -> Iterator[tuple[Group, slice]]:
    """Halve what failed: first the columns, then the outputs; nothing is left of one value."""
    columns, outputs = len(group.requests), places.stop - places.start
    if columns > 1:
        for part in (slice(columns // 2), slice(columns // 2, None)):
            yield group.of(group.requests[part]), places
    elif outputs > 1:
        middle = places.start + outputs // 2
        yield group, slice(places.start, middle)
        yield group, slice(middle, places.stop)


def _chunks(outputs: int, together: int) -> list[slice]:
    """Cut the outputs into chunks that are pushed together."""
    return [slice(start, min(start + together, outputs)) for start in range(0, outputs, together)]


def _fill(found: list[dict[str, Outcome]], columns: Sequence[Column], error: str) -> None:
    """Enter the same error for all outputs."""
    for outcomes in found:
        for column in columns:
            outcomes[column.name] = Outcome(None, error)
