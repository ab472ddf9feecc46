"""Read and score single pairs, with metrics, protocol, networks and signatures in one object.

A run over folders adds a plan, a ledger and readers to the same `Scorer`. All code for single pairs
(`iqbench.measure`, `iqbench.Evaluator`, the doctor, maps) uses this module.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from iqbench.engine.batch import Batch
from iqbench.engine.batching import BATCH_PIXELS
from iqbench.engine.compute import Compute, resolve_compute
from iqbench.engine.fitting import FittedPair, check_size, fit_alone, fit_pair
from iqbench.engine.grouping import Outcome, reads_alone, views_of
from iqbench.engine.observations import Scores
from iqbench.engine.plan import columns_of
from iqbench.engine.reading import in_sentences
from iqbench.engine.requests import requests_under
from iqbench.engine.resources import Resources, load_resources
from iqbench.engine.scorer import Scorer
from iqbench.engine.signatures import Signatures
from iqbench.errors import IqbenchError
from iqbench.forks import cached_property
from iqbench.images.picture import Picture
from iqbench.images.source import Alpha, Source
from iqbench.metrics._registry import DEFAULT_METRICS, Request
from iqbench.protocols.gray import kind_of_pair
from iqbench.protocols.presets import Protocol, resolve_protocol
from iqbench.protocols.view import View
from iqbench.results.schema import ColumnInfo

__all__ = ["PairScorer"]


class PairScorer:
    """Scores pairs of pictures under one protocol.

    Parameters
    ----------
    requests
        The columns to compute.
    protocol
        Gives each role of metrics its view.
    compute
        Device, precision and memory budget.
    weights
        Folder that is searched first for pretrained weights.
    resources
        Networks and parameters, if they are loaded already; otherwise they are loaded when they
        are first needed.

    Attributes
    ----------
    requests, protocol, compute
        As given.
    views
        Under which pairs are compared.
    """

    def __init__(
        self,
        requests: Sequence[Request],
        protocol: Protocol,
        compute: Compute,
        *,
        weights: Path | None = None,
        resources: Resources | None = None,
    ) -> None:
        self.requests = tuple(requests)
        self.protocol = protocol
        self.compute = compute
        self.views: tuple[View, ...] = views_of(requests, protocol)
        self._weights = weights
        self._given = resources

    @cached_property
    def resources(self) -> Resources:
        """Networks and parameters.

        Raises
        ------
        IqbenchError
            If weights are missing and cannot be fetched.
        """
        return self._given or load_resources(self.requests, self.compute, folder=self._weights)

    @cached_property
    def signatures(self) -> Signatures:
        """The signature of each column, and the files that each value depends on."""
        digests, precision = self.resources.digests, self.compute.precision
        return Signatures.of_requests(self.requests, self.protocol, digests, precision)

    @cached_property
    def _scorer(self) -> Scorer:
        return Scorer(self.requests, self.protocol, self.resources, self.compute)

    @cached_property
    def _scorer_alone(self) -> Scorer:
        """Scores the columns that read outputs without references."""
        alone = [item for item in self.requests if reads_alone(item, self.protocol)]
        return Scorer(alone, self.protocol, self.resources, self.compute)

    @classmethod
    def resolve(
        cls,
        metrics: Sequence[str],
        protocol: str,
        *,
        device: str = "auto",
        precision: str = "exact",
        memory: int | None = None,
        weights: Path | None = None,
        peak: int | None = None,
        gray_output: str = "error",
    ) -> PairScorer:
        """Make one of what a user wrote: specs of metrics, of a protocol, and a device.

        Parameters
        ----------
        metrics
            Specs or column names; by default the protocol's or the default metrics.
        protocol, device, precision, memory, weights, peak, gray_output
            As in `iqbench.measure`.

        Raises
        ------
        IqbenchError
            If one of them is unknown or cannot be had.
        """
        chosen = resolve_protocol(protocol).with_peak(peak).with_gray_output(gray_output)
        requests = requests_under(chosen, metrics or chosen.metrics or DEFAULT_METRICS)
        if not metrics:  # a protocol may have metrics of whole sets among its own
            requests = tuple(item for item in requests if item.metric.scope == "image")
        compute = resolve_compute(device, precision, memory)
        return cls(requests, chosen, compute, weights=weights)

    @property
    def columns(self) -> dict[str, ColumnInfo]:
        """How tables show the columns."""
        return columns_of(self.requests)

    def read(self, reference: Source, output: Source, alpha: Alpha = "error") -> FittedPair:
        """Read and decode two images; their sizes are compared before a pixel is decoded.

        Parameters
        ----------
        reference, output
            Where they come from.
        alpha
            What to do with transparency.

        Raises
        ------
        IqbenchError
            If one of them cannot be read, or the two do not fit.
        """
        contents = []
        for source in (reference, output):
            with in_sentences(source.name):
                contents.append(source.read())
        names = reference.name, output.name
        check_size(contents[0].probe(), contents[1].probe(), names, self.views)
        pictures = []
        for name, content in zip(names, contents, strict=True):
            with in_sentences(name):
                pictures.append(content.decode(alpha=alpha))
        return self.fit(*pictures)

    def fit(self, reference: Picture, output: Picture) -> FittedPair:
        """See that two pictures can be compared, and decide what is white in both.

        Raises
        ------
        IqbenchError
            If they do not fit.
        """
        alone = any(reads_alone(item, self.protocol) for item in self.requests)
        return fit_pair(reference, output, self.protocol, self.views, alone=alone)

    def read_alone(self, output: Source, alpha: Alpha = "error") -> FittedPair:
        """Read and decode an image that has no reference; see `read`.

        Raises
        ------
        IqbenchError
            If it cannot be read.
        """
        with in_sentences(output.name):
            return fit_alone(output.read().decode(alpha=alpha), self.protocol)

    def score(self, pairs: Iterable[FittedPair]) -> Iterator[dict[str, Outcome]]:
        """Score outputs and the references that they fit, in their order.

        Parameters
        ----------
        pairs
            They are taken one after the other, as they are scored.

        Yields
        ------
        dict
            Column name to its value or to why there is none. What reads bitstreams is left out.
        """
        on_gpu = self.compute.device.type == "cuda"
        waiting: deque[tuple[list[FittedPair], Scores | IqbenchError]] = deque()
        for together in self._joined(pairs):
            waiting.append((together, self._start(together)))
            if len(waiting) > on_gpu:  # a GPU computes while the next batch is set going
                yield from self._finish(*waiting.popleft())
        while waiting:
            yield from self._finish(*waiting.popleft())

    def _start(self, pairs: list[FittedPair]) -> Scores | IqbenchError:
        outputs = [pair.output for pair in pairs]
        try:
            if pairs[0].alone:
                return self._scorer_alone.start(Batch.alone(outputs))
            references = [pair.reference for pair in pairs]
            own_peaks = [pair.peaks.own for pair in pairs]
            return self._scorer.start(Batch(references, outputs, range(len(pairs)), own_peaks))
        except IqbenchError as error:
            return error

    def _finish(
        self, pairs: list[FittedPair], started: Scores | IqbenchError
    ) -> list[dict[str, Outcome]]:
        names = self.signatures.plain.keys() - self.signatures.bitstreams
        missing = {}
        if isinstance(started, IqbenchError):
            missing = {name: Outcome(None, str(started)) for name in names}
        elif pairs[0].alone:
            missing = {
                name: Outcome(None, self.signatures.why_not_alone(name))
                for name in names - self.signatures.alone
            }
        found = [{} for _ in pairs] if isinstance(started, IqbenchError) else started.finish()
        return [{**missing, **outcomes} for outcomes in found]

    def _joined(self, pairs: Iterable[FittedPair]) -> Iterator[list[FittedPair]]:
        """Join neighbours of one size and kind, up to as many pixels as suit the device."""
        limit = BATCH_PIXELS.get(self.compute.device.type, 0)
        joined: list[FittedPair] = []
        kind: tuple[object, ...] = ()
        for pair in pairs:
            reference, output = pair.reference, pair.output
            sizes = reference.height, reference.width, output.height, output.width
            here = *sizes, kind_of_pair(reference, output), pair.alone
            pixels = reference.height * reference.width * 2 * (len(joined) + 1)
            if joined and (here != kind or pixels > limit):
                yield joined
                joined = []
            kind = here
            joined.append(pair)
        if joined:
            yield joined
