"""The schemas of the two tables, and of the footers of parts."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from iqbench.columns import Margin, Tolerance

__all__ = [
    "ANY_MEMBERS",
    "DEFAULTS",
    "FOOTER_KEY",
    "FORMAT",
    "FORMATS",
    "IMAGES",
    "NOT_COMPUTED_YET",
    "NOT_SCORED_YET",
    "OPEN_MEMBERS",
    "PRECISIONS",
    "REFERENCES",
    "REMOVED",
    "REPLACED",
    "SCHEMAS",
    "SCORES",
    "SETS",
    "UNDEFINED",
    "ColumnInfo",
    "FilePlace",
    "Footer",
    "ImageRow",
    "Kind",
    "Manifest",
    "Origin",
    "ScoreRow",
    "SetRow",
    "bitstream_mark",
    "output_mark",
    "pair_digest",
    "removed",
]

FORMAT = 2
"""Version of the layout of the tables, as they are written. Later releases may add columns, and
fields of footers, without another number: see `DEFAULTS`."""

FORMATS = (1, 2)
"""Versions that are read. A part with another one is refused, never guessed at."""

FOOTER_KEY = b"iqbench"

PRECISIONS = ("exact", "tf32", "bf16")
"""What signatures may say of the arithmetic of networks."""

NOT_SCORED_YET = "not scored yet"
"""Error of an image that a run has announced but not reached."""

REMOVED = "removed: "
"""How the error of an image begins that its dataset no longer has. Readers drop these."""

UNDEFINED = "undefined: "
"""How the error of a value begins that does not exist (a flat reference has no TV ratio)."""

ANY_MEMBERS = "any"
"""Members of a value that holds whatever the images are, such as the parameters of a method."""

OPEN_MEMBERS = "open"
"""Members of a value that is to be computed once the features of all shards are together."""

NOT_COMPUTED_YET = (
    "not computed yet: a shard keeps features only; run iqbench results merge, or iqbench evaluate "
    "without --shard"
)
"""Error of such a value."""

REPLACED = "replaced by another import"
"""Error, and pair or members, of a value that a newer import replaced: no reader shows it."""

Kind = Literal["scores", "images", "sets"]

_NAME = pa.dictionary(pa.int32(), pa.string())


def _name(column: str) -> pa.Field:
    return pa.field(column, _NAME, nullable=False)


SCORES = pa.schema(
    [
        _name("dataset"),
        _name("method"),
        _name("image"),
        _name("metric"),
        pa.field("value", pa.float64()),
        pa.field("error", pa.string()),
        _name("signature"),
        _name("protocol"),
        pa.field("pair", pa.string()),
        pa.field("group", _NAME),
        _name("scope"),
    ]
)
"""One row per value. ``pair`` says which files it belongs to (`pair_digest`, `output_mark` or
`bitstream_mark`);
``scope`` whether the value is of an image or of a group of them, such as a clip; ``group`` of
which."""

IMAGES = pa.schema(
    [
        _name("dataset"),
        _name("method"),
        _name("image"),
        pa.field("reference_digest", pa.string()),
        pa.field("output_digest", pa.string()),
        pa.field("bitstream_digest", pa.string()),
        pa.field("height", pa.int32()),
        pa.field("width", pa.int32()),
        pa.field("channels", pa.int32()),
        pa.field("bit_depth", pa.int32()),
        pa.field("bytes", pa.int64()),
        pa.field("mos", pa.float64()),
        pa.field("mos_std", pa.float64()),
        pa.field("mos_direction", pa.string()),
        pa.field("distortion", pa.string()),
        pa.field("error", pa.string()),
        pa.field("pair", pa.string()),
        pa.field("group", _NAME),
    ]
)
"""One row per file scored. The newest one of an image decides which of its scores are current."""

SETS = pa.schema(
    [
        _name("dataset"),
        _name("method"),
        _name("metric"),
        pa.field("value", pa.float64()),
        pa.field("standard_error", pa.float64()),
        pa.field("error", pa.string()),
        _name("signature"),
        _name("protocol"),
        pa.field("n", pa.int64()),
        pa.field("expected", pa.int64()),
        pa.field("members", pa.string()),
        pa.field("reference_set", pa.string()),
        pa.field("reference_n", pa.int64()),
        pa.field("replicates", pa.list_(pa.float64())),
    ]
)
"""One row per value of a whole set. ``members`` is a digest of the images that it was computed of;
``reference_set`` says what they are compared with, and ``reference_n`` of how many images that is;
both are empty where a value is not computed of images. ``replicates`` is what the value is without
each group of images in turn."""

REFERENCES = "references of the outputs"
"""The ``reference_set`` of outputs that are compared with their own references."""

SCHEMAS: Mapping[Kind, pa.Schema] = {"scores": SCORES, "images": IMAGES, "sets": SETS}

DEFAULTS: Mapping[str, str | None] = {
    "group": None,
    "scope": "image",
    "reference_set": None,
    "reference_n": None,
    "bitstream_digest": None,
    "replicates": None,
}
"""What a column holds in parts that lack it, because an earlier release wrote them."""


@lru_cache(maxsize=256)  # each value of an image asks for the same
def pair_digest(reference_digest: str | None, output_digest: str | None) -> str | None:
    """Name the two files that a value was computed from.

    Parameters
    ----------
    reference_digest, output_digest
        Digests of the files' bytes; None where there is no such file.

    Returns
    -------
    str or None
        16 hex digits, or None if either file is missing.
    """
    if reference_digest is None or output_digest is None:
        return None
    return sha256(f"{reference_digest}\0{output_digest}".encode()).hexdigest()[:16]


def output_mark(output_digest: str | None) -> str | None:
    """Name the one file that a value was computed from which needs no reference.

    Parameters
    ----------
    output_digest
        Digest of the output's bytes; None where there is no such file.

    Returns
    -------
    str or None
        ``o`` and 15 hex digits, so that it is never the name of a pair.
    """
    return None if output_digest is None else f"o{output_digest[:15]}"


def bitstream_mark(
    bitstream_digest: str | None, height: int | None, width: int | None
) -> str | None:
    """Name what a value was computed from that is counted from a bitstream.

    Parameters
    ----------
    bitstream_digest
        Digest of the compressed file; None where there is none.
    height, width
        Pixels of the output: all that is read of it.

    Returns
    -------
    str or None
        ``b`` and 15 hex digits, so that it names no pair and no output.
    """
    if bitstream_digest is None or height is None or width is None:
        return None
    return "b" + sha256(f"{bitstream_digest}\0{height}x{width}".encode()).hexdigest()[:15]


@dataclass(frozen=True)
class ScoreRow:
    """One value of one metric for one image.

    Parameters
    ----------
    dataset, method, image, metric
        Whose value, and the metric's column name.
    value
        The value, +inf allowed; None beside an error. NaN is kept as a missing value with an error.
    error
        Why there is no value; beginning with ``undefined: `` where none exists.
    signature, protocol
        How the value was computed.
    pair
        `pair_digest` of the two files, `output_mark` of the output where no reference is needed,
        or `bitstream_mark`; None where a file is missing.
    group
        The group of images that the image is in, or None.
    scope
        What the value is of: ``image`` or ``group``.
    """

    dataset: str
    method: str
    image: str
    metric: str
    value: float | None
    error: str | None
    signature: str
    protocol: str
    pair: str | None
    group: str | None = None
    scope: str = "image"

    def __post_init__(self) -> None:
        if self.error is not None:
            return
        if self.value is None:
            raise ValueError(f"{self.metric} of {self.image} has neither a value nor an error")
        if self.value != self.value:
            object.__setattr__(self, "value", None)
            object.__setattr__(self, "error", "the metric returned NaN")


@dataclass(frozen=True)
class SetRow:
    """One value of one metric for all outputs of a method on a dataset.

    Parameters
    ----------
    dataset, method, metric
        Whose value, and the metric's column name.
    value, standard_error
        The value, and its uncertainty; None where there is none.
    error
        Why there is no value.
    signature, protocol
        How the value was computed.
    n, expected
        How many images it is of, and how many outputs the method should have.
    members
        Digest of the images and both sides' files, or of the outputs' alone where they are compared
        with a reference set: see `iqbench.results.sets.members_digest`.
    reference_set, reference_n
        What the outputs are compared with, and how many images that has; None where an earlier
        release did not say it.
    replicates
        What the value is without each group of images in turn, see
        `iqbench.metrics._set_distances.Distance`; None where that is not known.
    """

    dataset: str
    method: str
    metric: str
    value: float | None
    standard_error: float | None
    error: str | None
    signature: str
    protocol: str
    n: int
    expected: int
    members: str
    reference_set: str | None = None
    reference_n: int | None = None
    replicates: Sequence[float] | None = None


@dataclass(frozen=True)
class ImageRow:
    """One output file and its reference, as read.

    Parameters
    ----------
    dataset, method, image
        Identity.
    reference_digest, output_digest
        Of the files' bytes; None where a file is missing.
    bitstream_digest
        Of the compressed file behind the output; None where there is none, or nobody asked.
    height, width, channels, bit_depth, bytes
        Of the output as read: pixels, pixels, 1 or 3, 8 or 16, file size.
    mos, mos_std, mos_direction, distortion
        Opinion scores and distortion type, where the dataset has them.
    error
        Why the file could not be scored, or None.
    group
        The group of images that it is in, such as a clip, or None.
    """

    dataset: str
    method: str
    image: str
    reference_digest: str | None = None
    output_digest: str | None = None
    height: int | None = None
    width: int | None = None
    channels: int | None = None
    bit_depth: int | None = None
    bytes: int | None = None
    mos: float | None = None
    mos_std: float | None = None
    mos_direction: str | None = None
    distortion: str | None = None
    error: str | None = None
    group: str | None = None
    bitstream_digest: str | None = None

    @property
    def bitstream(self) -> str | None:
        """The mark that links scores computed from the bitstream to this row."""
        return bitstream_mark(self.bitstream_digest, self.height, self.width)

    @property
    def pair(self) -> str | None:
        """The mark that links the scores of these two files to this row."""
        return pair_digest(self.reference_digest, self.output_digest)


def removed(dataset: str, method: str, image: str, why: str) -> ImageRow:
    """Say that an image is no longer part of its dataset: readers drop it and its scores."""
    return ImageRow(dataset, method, image, error=f"{REMOVED}{why}")


_DIRECTION = re.compile(r"higher|lower|none|target:[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?")


_MOST_DECIMALS = 17
"""No more are in a double."""


@dataclass(frozen=True)
class ColumnInfo:
    """How a metric's column is read.

    Parameters
    ----------
    direction
        What is better: ``higher``, ``lower``, ``target:<value>``, or ``none`` (never ranked).
    decimals
        How many to print.
    headline
        Whether the column is in the short form of a table.
    summary
        One line that says what the number is.
    role
        What the number tells, see `iqbench.columns.ColumnRole`; empty where nothing is known.
    margin
        How far a mean has to move to count; None where nothing is known of the scale.
    tolerance
        How far a value may be from that of an independent implementation; None if not stated.
    definition
        What the number is: paragraphs, an empty line between two.
    citation
        The source of the definition.
    """

    direction: str
    decimals: int = 4
    headline: bool = True
    summary: str = ""
    role: str = ""
    margin: Margin | None = None
    tolerance: Tolerance | None = None
    definition: str = ""
    citation: str = ""

    def __post_init__(self) -> None:
        if not _DIRECTION.fullmatch(self.direction):
            raise ValueError(f"no such direction: {self.direction!r}")
        if self.target is not None and not math.isfinite(self.target):
            raise ValueError(f"no such target: {self.direction!r}")
        if not 0 <= self.decimals <= _MOST_DECIMALS:
            raise ValueError(f"no such number of decimals: {self.decimals}")

    @property
    def target(self) -> float | None:
        """The best value, for ``target:<value>``."""
        kind, _, value = self.direction.partition(":")
        return float(value) if kind == "target" else None


class FilePlace(BaseModel):
    """Where the files of a dataset's references, or of a method's outputs, lay.

    Parameters
    ----------
    dataset, method
        Whose; the method of references is empty.
    before, after
        What stands before and after an image's id in an absolute path.
    """

    model_config = ConfigDict(frozen=True)

    dataset: str
    method: str
    before: str
    after: str


class Manifest(BaseModel):
    """What a run was made with.

    Parameters
    ----------
    iqbench, python, torch, platform, device, precision
        Versions and machine; the device is recorded, but is not part of a signature.
    command
        The command line.
    time
        When the run began, ISO 8601 in UTC.
    versions
        Any other packages.
    places
        Where the files lay; empty in tables of older releases.
    """

    model_config = ConfigDict(frozen=True)

    iqbench: str
    python: str
    torch: str
    platform: str
    device: str
    precision: str
    command: str
    time: str
    versions: dict[str, str] = {}
    places: list[FilePlace] = []


@dataclass(frozen=True)
class Origin:
    """Where the images of a dataset and method came from when they were scored.

    Parameters
    ----------
    references
        Absolute path of the dataset's folder or file, or what its images come with.
    outputs
        Absolute path of the method's folder; of a dataset that brings its outputs, as `references`.
    results
        Absolute path of the results folder at that time.
    """

    references: str = ""
    outputs: str = ""
    results: str = ""

    def __bool__(self) -> bool:
        """Tell whether anything is known: tables of earlier versions say nothing."""
        return bool(self.references or self.outputs)


@dataclass(frozen=True)
class Footer:
    """What stands in the footer of a part: whose rows, from which runs, and how to read them.

    ``task`` is what the dataset's methods restore, as its block says; empty where it says nothing.
    ``origin`` is where the images came from.
    """

    format: int
    dataset: str
    method: str
    runs: list[Manifest] = field(default_factory=list)
    columns: dict[str, ColumnInfo] = field(default_factory=dict)
    task: str = ""
    origin: Origin = field(default_factory=Origin)

    @classmethod
    def united(cls, footers: Sequence[Footer]) -> Footer:
        """Join the footers of parts of one folder, the oldest first; newer ones have the last word.

        Parameters
        ----------
        footers
            At least one.
        """
        if len(footers) == 1:
            return footers[0]
        columns: dict[str, ColumnInfo] = {}
        # A run is in the footers of all its parts. Runs of one moment are few.
        runs: list[Manifest] = []
        of_moment: dict[str, list[Manifest]] = {}
        for footer in footers:
            columns.update(footer.columns)
            for run in footer.runs:
                alike = of_moment.setdefault(run.time, [])
                if run not in alike:
                    alike.append(run)
                    runs.append(run)
        tasks = [footer.task for footer in footers if footer.task]
        origins = [footer.origin for footer in footers if footer.origin]
        return cls(
            max(footer.format for footer in footers),
            footers[0].dataset,
            footers[0].method,
            runs,
            columns,
            tasks[-1] if tasks else "",
            origins[-1] if origins else Origin(),
        )
