"""Score images under a protocol, one by one, with the values of `iqbench evaluate`."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from torch import Tensor

from iqbench.datasets.files import check_text
from iqbench.engine.fitting import FittedPair
from iqbench.engine.grouping import Outcome
from iqbench.engine.kept_features import KeptFeatures, check_moments
from iqbench.engine.memory_sets import MemorySets, ReferenceImages, read_reference_images
from iqbench.engine.pairs import PairScorer
from iqbench.engine.ranks import gather, rank
from iqbench.engine.record import Record, Row
from iqbench.errors import IqbenchError, IqbenchWarning, unknown_name
from iqbench.images.decode import check_alpha
from iqbench.images.memory import Bits, Images, TensorSource, check_bits, image_sources
from iqbench.images.probe import ImageHeader
from iqbench.images.source import Alpha, Source
from iqbench.metrics._images import check_images, overshoots
from iqbench.results.schema import UNDEFINED, SetRow
from iqbench.user_files import expand_user

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Evaluator", "names_of"]

STATE_FORMAT = 1

_OF_SETS = ("value", "standard_error", "error", "n", "expected", "reference_n")


class Evaluator:
    """Scores images in memory or in files, and keeps one row per image until it is reset.

    Parameters
    ----------
    metrics
        Specs or column names; by default the protocol's or the default metrics.
    protocol
        Spec, e.g. ``sr-y:scale=4``.
    device
        ``auto`` (the first GPU if there is one), ``cpu``, ``cuda`` or ``cuda:N``: where scores are
        computed, wherever the images are.
    precision
        ``exact``, ``tf32`` (GPU only) or ``bf16``, of the networks.
    memory
        Budget in bytes; by default derived from the device.
    weights
        Folder that is searched first for pretrained weights.
    bits
        What a file of the images would hold: floating point is cut off to [0, 1] and rounded to 8
        or 16 bits. None rounds only where the protocol says so.
    gray_output, alpha
        As in `iqbench.evaluate`; `alpha` is of files.
    reference_set
        What metrics of sets, such as ``fid``, compare the outputs with: a folder of images of any
        names and sizes, or images as in `update`. By default, the references of the outputs.
    features
        What is kept for metrics of sets: ``keep`` for the features of every image (Inception's
        take 8 KB), or ``moments`` for number, mean and covariance of each set, which take 34 MB
        whatever the number of images. Moments are enough for ``fid``, without a standard error.

    Attributes
    ----------
    columns
        Names of the columns, in the order asked for.

    Raises
    ------
    IqbenchError
        If a metric, protocol or device is unknown, weights are missing, or a metric reads
        compressed files.

    Notes
    -----
    Each image is what a file would hold of it, and is scored as `iqbench.evaluate` scores that
    file: the values are the same. Every network runs once an image, for all metrics. Scores carry
    no gradients; `iqbench.losses` and `iqbench.functional` do, and they neither round nor crop.
    Grad mode, autocast, threads, TF32 flags and random numbers of the process stay as they are.

    Examples
    --------
    >>> evaluator = iqbench.Evaluator(["psnr", "lpips-alex"], "sr-y:scale=4")  # doctest: +SKIP
    >>> for low, high, name in loader:  # doctest: +SKIP
    ...     evaluator.update(model(low), high, ids=name)
    >>> evaluator.compute()  # doctest: +SKIP
    {'psnr': 28.42, 'lpips-alex': 0.34}
    """

    def __init__(
        self,
        metrics: str | Sequence[str] = (),
        protocol: str = "rgb",
        *,
        device: str | torch.device = "auto",
        precision: str = "exact",
        memory: int | None = None,
        weights: str | PathLike[str] | None = None,
        bits: int | None = 8,
        gray_output: str = "error",
        alpha: Alpha = "error",
        reference_set: Images | None = None,
        features: KeptFeatures = "keep",
    ) -> None:
        check_alpha(alpha)
        if features not in get_args(KeptFeatures):
            raise unknown_name("way to keep features", str(features), get_args(KeptFeatures))
        self._features = features
        self._alpha = alpha
        self._bits = check_bits(bits)
        self._scorer = PairScorer.resolve(
            [metrics] if isinstance(metrics, str) else list(metrics),
            protocol,
            device=_name_of(device),
            precision=precision,
            memory=memory,
            weights=None if weights is None else expand_user(weights),
            gray_output=gray_output,
        )
        for request in self._scorer.requests:
            if request.metric.needs == "bitstream":
                raise IqbenchError(
                    f"{request.column.name} reads compressed files, and here are pixels",
                    hint="Leave it out, or use `iqbench evaluate`",
                )
        if features == "moments":
            check_moments(
                self._scorer.requests, 'features="moments" keeps none', keep='features="keep"'
            )
        # Missing weights, or missing images of the reference set, are an error here already.
        self._image_columns = tuple(self._scorer.signatures.plain)
        self._sets = MemorySets(
            self._scorer.requests,
            self._scorer.protocol,
            self._scorer.compute,
            self._scorer.resources,
            None if reference_set is None else self._reference_images(reference_set),
            features=features,
        )
        self.columns = tuple(item.column.name for item in self._scorer.requests)
        self._record = Record(self._image_columns)

    def __len__(self) -> int:
        """Return how many images this process has scored since the last reset."""
        return len(self._record)

    def __bool__(self) -> bool:
        return True

    @property
    def bits(self) -> Bits:
        """To how many bits floating point is rounded; None where it is not."""
        return self._bits

    @property
    def alpha(self) -> Alpha:
        """How transparent files are treated."""
        return self._alpha

    @property
    def scorer(self) -> PairScorer:
        """What scores its pairs: for what else is made of them, such as maps."""
        return self._scorer

    @property
    def directions(self) -> dict[str, str]:
        """Column to direction: ``higher``, ``lower``, ``target:<value>`` or ``none``."""
        return {item.column.name: item.column.direction for item in self._scorer.requests}

    @property
    def signatures(self) -> dict[str, str]:
        """Column to signature, which says how its values are computed."""
        of_sets = {one.name: one.signature for one in self._sets.columns}
        known = {**self._scorer.signatures.plain, **of_sets}
        return {name: known[name] for name in self.columns}

    def __call__(self, output: Images, reference: Images | None = None) -> dict[str, Tensor]:
        """Score images and keep nothing; values of sets are left out.

        Parameters
        ----------
        output, reference
            As in `update`.

        Returns
        -------
        dict
            Column name to (N,) float64 on the CPU; NaN where there is no value.

        Raises
        ------
        IqbenchError
            As `update`.
        """
        rows = _uncompiled(self._rows)(output, reference, None, keep=False)
        return {
            name: torch.tensor(
                [math.nan if row.values[place] is None else row.values[place] for row in rows],
                dtype=torch.float64,
                device="cpu",
            )
            for place, name in enumerate(self._image_columns)
        }

    def update(
        self,
        output: Images,
        reference: Images | None = None,
        *,
        ids: Sequence[object] | Tensor | None = None,
    ) -> None:
        """Score images and keep their values.

        Parameters
        ----------
        output
            A tensor (N, C, H, W) or (C, H, W) on any device, C 1 or 3; an array (N, H, W, C),
            (H, W, C) or (H, W); the path of an image file; or a list of tensors (C, H, W), arrays
            and paths, of any sizes. Tensors and arrays are uint8, uint16, or floating point in
            [0, 1].
        reference
            The same of the references; may be left out if no metric needs one.
        ids
            What to call the images; an image whose id is known counts once, as it came first.
            Images without ids, or with the id None, are numbered, and count each time.

        Raises
        ------
        IqbenchError
            If these are no images, a file is not there, values are far outside [0, 1], output and
            reference differ in size, or an id cannot be stored as a name. Nothing of the call is
            kept then.

        Warns
        -----
        IqbenchWarning
            Of images that could not be scored, such as those with NaN and damaged files, which are
            kept as failed; of outputs that overshoot [0, 1] far; of a known id with other pixels;
            of what is doubtful in the samples of 16 bits.
        """
        added: list[Row] = []
        try:
            for row in _uncompiled(self._rows)(output, reference, ids, keep=True):
                if self._record.add(row):
                    added.append(row)
        finally:
            self._sets.join(added)

    def compute(self, *, merge: bool = True) -> dict[str, float]:
        """Return the mean of each column, or its value of the set; nothing is reset.

        Parameters
        ----------
        merge
            Whether to take the images of all ranks, where `torch.distributed` is set up: then every
            rank must call this.

        Returns
        -------
        dict
            Column name to the mean over images, infinite values included, or to the value of the
            set. Values that do not exist (the ratio of variations of a flat reference) are left
            out. NaN if an image could not be scored, or there is none.
        """
        record = self._together(merge)
        values = record.means()
        for row in self._closed(record, merge):
            whole = row.value is not None and row.n == row.expected
            values[row.metric] = row.value if whole and row.value is not None else math.nan
        return {name: values[name] for name in self.columns}

    def scores(
        self,
        *,
        scope: Literal["image", "set"] = "image",
        merge: bool = True,
        start: int = 0,
    ) -> pd.DataFrame:
        """Return the scores that `compute` summarises.

        Parameters
        ----------
        scope
            ``image``: one row per image and one column per metric, NaN where there is no value.
            ``set``: one row per metric of sets, with its value, standard error, error, number n of
            images, number of images that were scored (expected), and number of references.
        merge
            As in `compute`.
        start
            Leave out as many images at the beginning.

        Raises
        ------
        IqbenchError
            If there is no such scope.
        """
        import pandas as pd

        if scope not in ("image", "set"):
            raise unknown_name("scope", scope, ("image", "set"))
        record = self._together(merge)
        if scope == "set":
            closed = self._closed(record, merge)
            return pd.DataFrame(
                [[getattr(row, name) for name in _OF_SETS] for row in closed],
                index=pd.Index([row.metric for row in closed], name="metric", dtype=str),
                columns=list(_OF_SETS),
            ).astype({"value": float, "standard_error": float})
        rows = record.rows()[start:]
        index = pd.Index([row.image for row in rows], name="image", dtype=str)
        values = [row.values for row in rows]
        return pd.DataFrame(values, index=index, columns=list(self._image_columns), dtype=float)

    def errors(self, *, merge: bool = True) -> dict[tuple[str, str], str]:
        """Return why values are missing, by image and column.

        Parameters
        ----------
        merge
            As in `compute`.
        """
        return {
            (str(row.image), name): error
            for row in self._together(merge).rows()
            for name, error in self._failures(row)
        }

    def write(
        self,
        results: str | PathLike[str] = "results",
        *,
        method: str,
        dataset: str = "validation",
        replace: bool = False,
        merge: bool = True,
    ) -> None:
        """Write the scores as those of a method, e.g. of a checkpoint, into a results folder.

        Parameters
        ----------
        results
            The folder of tables, for ``iqbench leaderboard``, ``report``, ``check``, ``compare``.
        method
            What to call it, e.g. ``step-40000``. Scores that it has there are replaced.
        dataset
            What the images are.
        replace
            Take another dataset of that name, of other references, out of the tables.
        merge
            As in `compute`. The rank 0 writes.

        Raises
        ------
        IqbenchError
            If there are no scores, the folder cannot be written, or has other references under that
            name of a dataset.
        """
        from iqbench.engine.writing import write_record
        from iqbench.results.mirror import written_results

        record = self._together(merge)
        if not len(record):
            raise IqbenchError("there are no scores to write", hint="Call update first")
        closed = self._closed(record, merge)
        if merge and rank() != 0:
            return
        with written_results(results) as folder:
            write_record(
                record,
                self._scorer,
                folder,
                method=method,
                dataset=dataset,
                replace=replace,
                sets=closed,
                references=self._sets.needs_references,
            )

    def reset(self) -> None:
        """Forget all images; networks and features of references stay loaded."""
        self._record = Record(self._image_columns)
        self._sets.forget()

    def state_dict(self) -> dict[str, Any]:
        """Return what this process has scored, in plain types that `torch.save` keeps."""
        return {
            "format": STATE_FORMAT,
            **self._own_state(),
            "features": self._sets.state(self._record.rows()),
        }

    def _own_state(self) -> dict[str, Any]:
        """Return the rows of this process, and what they are of."""
        kept = {"signatures": self.signatures, "kept": self._features}
        return {**kept, **self._record.state()}

    def load_state_dict(self, *states: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned.

        Parameters
        ----------
        *states
            Of one evaluator, or of several, whose images are then united as those of ranks are.

        Raises
        ------
        IqbenchError
            If it is no such state, or of an Evaluator of other metrics, protocol or weights.
        """
        for state in states:
            self._check_state(state)
        records = [Record(self._image_columns), *map(Record.of_state, states)]
        self._record = Record.united(records)
        self._sets.forget()
        self._sets.load(state["features"] for state in states)

    def _check_state(self, state: Mapping[str, Any]) -> None:
        """Refuse what is not a state of an evaluator like this one."""
        if not isinstance(state, Mapping) or state.get("format") != STATE_FORMAT:
            raise IqbenchError(
                "this is not a state of an Evaluator of this version",
                hint="Give what its state_dict() returned",
            )
        if not self._has_signatures(state.get("signatures")):
            raise IqbenchError(
                "the state is of an Evaluator of other metrics, protocol or weights, or of the "
                "same metrics in another order",
                hint="Make the Evaluator as it was made then",
            )
        kept = state.get("kept", "keep")  # earlier states have no such key
        if kept != self._features and self._sets.columns:
            raise IqbenchError(
                f"the state is of an Evaluator with features={kept!r}, and this one has "
                f"features={self._features!r}",
                hint="Make the Evaluator as it was made then",
            )

    def _has_signatures(self, signatures: Any) -> bool:
        """Tell whether columns are those of this evaluator, in the same order."""
        own = list(self.signatures.items())
        return isinstance(signatures, Mapping) and list(signatures.items()) == own

    def _together(self, merge: bool) -> Record:
        """Return the images of all ranks, or those of this one."""
        if not merge:
            return self._record
        ranks = gather(self._own_state())
        for number, state in enumerate(ranks):
            if not self._has_signatures(state["signatures"]) or state["kept"] != self._features:
                raise IqbenchError(
                    f"the Evaluator of rank {number} differs from that of rank {rank()} in its "
                    "metrics, their order, its protocol, weights or features",
                    hint="Make the Evaluator of all ranks alike",
                )
        if len(ranks) == 1:
            return self._record
        return Record.united(map(Record.of_state, ranks))

    def _closed(self, record: Record, merge: bool) -> list[SetRow]:
        """Compute the values of sets; with `merge`, of the images of all ranks."""
        if not self._sets.columns:
            return []
        states = gather(self._sets.state(self._record.rows())) if merge else []
        return self._sets.close(record.rows(), states)

    def _failures(self, row: Row) -> Iterator[tuple[str, str]]:
        """Say which columns an image lacks, and why."""
        reasons = dict(zip(self._image_columns, row.errors, strict=True))
        reasons |= {
            one.name: error for one, error in zip(self._sets.columns, row.set_errors, strict=False)
        }
        for name in self.columns:
            error = reasons.get(name)
            if error:
                yield name, error

    def _reference_images(self, given: Images) -> ReferenceImages:
        scorer = self._scorer
        images: str | PathLike[str] | Sequence[Source]
        if isinstance(given, str | PathLike):
            images = given
        else:
            images = self._sources("image of the reference set", given)
            if not images:
                raise IqbenchError(
                    "the reference set has no image", hint="Give images, or leave it out"
                )
        return read_reference_images(images, scorer.protocol, self._alpha, scorer.compute)

    def _rows(
        self,
        output: Images,
        reference: Images | None,
        ids: Sequence[object] | Tensor | None,
        *,
        keep: bool,
    ) -> list[Row]:
        """Score a batch."""
        return list(self._score(output, reference, ids, keep=keep))

    def _score(
        self,
        output: Images,
        reference: Images | None,
        ids: Sequence[object] | Tensor | None,
        *,
        keep: bool,
    ) -> Iterator[Row]:
        """Check a batch, then score its images one after the other."""
        outputs = self._sources("output", output, trained=True)
        references = self._references(reference, len(outputs))
        names = _names(ids, len(outputs))
        outputs = [_named(*named) for named in zip(outputs, names, strict=True)]
        # What headers say is said before anything is computed.
        headers = [source.probe() for source in outputs]
        for source, header, other in zip(outputs, headers, references, strict=True):
            if other is not None:
                self._check_size(source.name, header, other.probe())
        waiting: list[tuple[Row, str]] = []
        images = zip(outputs, references, names, headers, strict=True)
        # Rows wait until their values are there: those that failed before never get any.
        for outcomes in self._scorer.score(self._pairs(images, waiting, keep=keep)):
            while waiting and not waiting[0][0].peaks:
                yield self._warned(*waiting.pop(0))
            row, what = waiting.pop(0)
            found = (outcomes[name] for name in self._image_columns)
            yield self._warned(row.with_outcomes(found), what)
        for row, what in waiting:
            yield self._warned(row, what)

    def _pairs(
        self,
        images: Iterable[tuple[Source, Source | None, str | None, ImageHeader]],
        waiting: list[tuple[Row, str]],
        *,
        keep: bool,
    ) -> Iterator[FittedPair]:
        """Read images as they are scored; enter a row of each into `waiting`."""
        for output, reference, name, header in images:
            row = Row(name, None, "", header.height, header.width, header.channels)
            try:
                if reference is None:
                    pair = self._scorer.read_alone(output, self._alpha)
                else:
                    pair = self._scorer.read(reference, output, self._alpha)
            except IqbenchError as error:
                reasons = [Outcome(None, str(error))] * len(self._image_columns)
                row = replace(row, set_errors=(str(error),) * len(self._sets.columns))
                waiting.append((row.with_outcomes(reasons), output.name))
                continue
            row = replace(
                row,
                reference_digest=None if pair.alone else pair.reference.digest,
                output_digest=pair.output.digest,
                bit_depth=pair.output.bit_depth,
                peaks=(pair.peaks.reference, pair.peaks.output, pair.peaks.own),
            )
            if name is not None and self._record.known(name, row.inputs):
                continue
            for remark in pair.remarks:
                warnings.warn(str(remark), IqbenchWarning, stacklevel=5)
            if keep:
                row = replace(row, set_errors=self._sets.observe(row, pair))
            waiting.append((row, output.name))
            yield pair

    def _references(self, reference: Images | None, images: int) -> Sequence[Source | None]:
        """Check the references; they may be missing where no metric needs them."""
        if reference is None:
            needy = [
                item.column.name
                for item in self._scorer.requests
                if item.metric.needs != "output"
                and (item.metric.scope == "image" or self._sets.needs_references)
            ]
            if needy:
                raise IqbenchError(
                    f"{', '.join(needy)} cannot be computed without a reference",
                    hint="Give the reference, or ask for metrics that need none, such as niqe; "
                    "metrics of sets need none with a reference_set",
                )
            return [None] * images
        references = self._sources("reference", reference)
        if len(references) != images:
            raise IqbenchError(f"there are {images} outputs, but {len(references)} references")
        return references

    def _sources(self, kind: str, images: Images, *, trained: bool = False) -> list[Source]:
        """Take images apart; refuse tensors whose values or channels are no image's."""
        sources = image_sources(kind, images, self._bits, peak=self._scorer.protocol.peak)
        far: list[str] = []
        for source in sources:
            if not isinstance(source, TensorSource):
                continue
            image = check_images(source.name, source.image, trained=trained)
            if trained and overshoots(image):
                extremes = f"from {float(image.min()):.4g} to {float(image.max()):.4g}"
                far.append(f"{source.name} ({extremes})")
        if far:
            warnings.warn(
                f"{far[0]} and {len(far) - 1} more images lie far outside [0, 1]"
                if len(far) > 1
                else f"{far[0]} lies far outside [0, 1]",
                IqbenchWarning,
                stacklevel=5,
            )
        return list(sources)

    def _warned(self, row: Row, what: str) -> Row:
        """Warn of what an image failed with; a value that does not exist is not a failure."""
        failed: dict[str, str] = {}
        for name, error in self._failures(row):
            if not error.startswith(UNDEFINED):
                failed.setdefault(error, name)
        for error, name in failed.items():
            warnings.warn(f"{what} has no {name}: {error}", IqbenchWarning, stacklevel=5)
        return row

    def _check_size(self, what: str, output: ImageHeader, reference: ImageHeader) -> None:
        """Refuse an output of another size than its reference's, before anything is computed."""
        cuts = {view.modcrop for view in self._scorer.views}
        sizes = [(header.height, header.width) for header in (output, reference)]
        cut = [[tuple(side - side % by for side in size) for by in cuts] for size in sizes]
        if cut[0] != cut[1]:
            (height, width), (other_height, other_width) = sizes
            raise IqbenchError(
                f"{what} has {width}x{height} pixels, its reference {other_width}x{other_height}",
                hint="Nothing is resized: make the output as large as its reference",
            )


def _uncompiled(function: Callable[..., list[Row]]) -> Callable[..., list[Row]]:
    """Keep `torch.compile` from looking into a function, where the caller is compiled."""
    if not torch.compiler.is_compiling():
        return function
    compiler: Any = torch.compiler  # its type hints lag behind
    uncompiled: Callable[..., list[Row]] = compiler.disable(function)
    return uncompiled


def _named(source: Source, name: str | None) -> Source:
    """Call a tensor by its id too; a file has a name."""
    if name is None or not isinstance(source, TensorSource):
        return source
    return replace(source, name=f"{source.name} ({name})")


def _name_of(device: str | torch.device) -> str:
    """Spell a device; Accelerate calls the CPU of a process cpu:0."""
    if isinstance(device, torch.device) and device.type == "cpu":
        return "cpu"
    return str(device)


def _names(ids: Sequence[object] | Tensor | None, images: int) -> list[str | None]:
    """Return one id per image, or None for each."""
    if ids is None:
        return [None] * images
    given = names_of(ids)
    if len(given) != images:
        raise IqbenchError(f"there are {images} outputs, but {len(given)} ids")
    for name in given:
        if name is not None:
            check_text("image", name, hint="Give another id")
    return given


def names_of(ids: Sequence[object] | Tensor) -> list[str | None]:
    """Return ids as names: numbers are spelt, bytes are decoded, and a single one is one id.

    None stays None: the image has no id.

    Raises
    ------
    IqbenchError
        If they have no order, as those of a set.
    """
    if isinstance(ids, Set | Mapping):
        raise IqbenchError(
            f"ids are of type {type(ids).__name__}, which does not say whose they are",
            hint="Give a list, with one id per image in the order of the images",
        )
    if isinstance(ids, Tensor):
        return [_name_from(one) for one in ids.flatten().tolist()]
    if isinstance(ids, str | bytes) or not isinstance(ids, Iterable):
        return [_name_from(ids)]
    return [_name_from(one) for one in ids]


def _name_from(one: object) -> str | None:
    """Return an id as a name."""
    value = one.item() if isinstance(one, Tensor) else one
    if value is None or isinstance(value, str):
        return value
    return os.fsdecode(value) if isinstance(value, bytes) else str(value)
