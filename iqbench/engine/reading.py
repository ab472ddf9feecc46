"""Read, check and decode one reference and its outputs, unless their values are known."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeAlias

from iqbench.datasets.matching.bitstreams import Bits, Bitstream
from iqbench.datasets.sample import OutputImage
from iqbench.datasets.storage.digest_store import KnownFile, known_image, learned_of
from iqbench.engine.fitting import check_size, fit_alone, fit_pair
from iqbench.engine.signatures import Signatures
from iqbench.errors import IqbenchError, out_of_memory
from iqbench.images.peaks import Peaks, peaks_of_headers
from iqbench.images.picture import Picture
from iqbench.images.probe import ImageHeader
from iqbench.images.remark import Remark
from iqbench.images.source import Alpha, Content, Source
from iqbench.protocols.presets import Protocol
from iqbench.protocols.view import View
from iqbench.results.schema import bitstream_mark

__all__ = [
    "Job",
    "KnownMarks",
    "Output",
    "PictureFacts",
    "ReadJob",
    "header_of",
    "in_sentences",
    "job_cost",
    "pin",
    "read_job",
]


KnownMarks: TypeAlias = Mapping[tuple[str, str], Mapping[tuple[str, str], str | None]]
"""What the tables have: method and image, to column and signature, to the mark of the files."""


@dataclass(frozen=True)
class PictureFacts:
    """What a run keeps of a picture when its pixels are gone; the attributes are a picture's."""

    height: int
    width: int
    channels: int
    bit_depth: int
    composited: bool

    @classmethod
    def of(cls, picture: Picture) -> PictureFacts:
        """Take the facts of a picture."""
        return cls(
            picture.height,
            picture.width,
            picture.channels,
            picture.bit_depth,
            picture.composited,
        )


@dataclass(frozen=True)
class Job:
    """A reference and outputs to be compared with it.

    Attributes
    ----------
    reference
        Where its pixels come from; None where there is none.
    outputs
        Of all methods; of an item with very many, some of them.
    """

    reference: Source | None
    outputs: Sequence[OutputImage]


@dataclass(frozen=True)
class Output:
    """What became of one output.

    Attributes
    ----------
    image
        What was to be read.
    reference_digest, digest
        Of reference and output; None where unreadable.
    bytes
        Size of the file.
    picture
        The pixels, if there is something to compute and nothing is wrong.
    columns
        The columns that are not in the tables yet.
    error
        What is wrong with one of the two files.
    peaks
        Which sample values are white, once that is known.
    remarks
        What the user should know of the two files.
    alone
        Whether `picture` is to be scored without the reference: there is none, or it does not fit.
    unfit
        Why there is no value of what needs the reference.
    bits
        Of its bitstream; None where there is none, or nobody asked.
    no_bits
        Why its bitstream, which is there, could not be read.
    bitstream
        Names the bitstream and the output's size, see `bitstream_mark`.
    facts
        Of `picture`, when its pixels are gone.
    """

    image: OutputImage
    reference_digest: str | None = None
    digest: str | None = None
    bytes: int | None = None
    picture: Picture | None = None
    columns: frozenset[str] = frozenset()
    error: str | None = None
    peaks: Peaks | None = None
    remarks: tuple[Remark, ...] = ()
    alone: bool = False
    unfit: str | None = None
    bits: Bits | None = None
    no_bits: str = ""
    bitstream: str | None = None
    facts: PictureFacts | None = None

    def stripped(self) -> Output:
        """Return the output without its pixels."""
        if self.picture is None:
            return self
        return replace(self, picture=None, facts=PictureFacts.of(self.picture))


@dataclass(frozen=True)
class ReadJob:
    """A job after reading.

    Attributes
    ----------
    reference
        Its pixels, if any output needs them.
    outputs
        What became of the outputs.
    learned
        What later runs may know of the files that were read, by their identities.
    """

    reference: Picture | None
    outputs: tuple[Output, ...]
    learned: Mapping[str, KnownFile] = field(default_factory=dict)


def job_cost(job: Job, files: Mapping[str, KnownFile] | None = None) -> int:
    """Return the bytes that reading a job takes, from the reference's header and file sizes.

    At any time there are the pixels of the images decoded so far, those of one that is being
    decoded a second time, the reference's file and that of one output.

    Parameters
    ----------
    job
        What is to be read.
    files
        What is known of files, by their identities: their headers are not read.
    """
    first = job.reference or job.outputs[0].source
    sizes = first.size() + max((one.source.size() for one in job.outputs), default=0)
    known = known_image(first, files or {})
    facts = header_of(first) if known is None else known.header
    if facts is None:
        return sizes
    pixels = facts.height * facts.width * facts.channels * facts.bit_depth // 8
    return pixels * (2 + len(job.outputs)) + sizes


@contextmanager
def in_sentences(name: str) -> Iterator[None]:
    """Turn whatever reading or decoding an image raises into an error that names it.

    Raises
    ------
    IqbenchError
        In place of any other exception: the run goes on with the next image.
    """
    try:
        yield
    except IqbenchError:
        raise
    except Exception as error:
        if out_of_memory(error):
            raise IqbenchError(
                f"there is not enough memory to read {name}",
                hint="Free some memory, or crop the image",
            ) from error
        first_line = str(error).partition("\n")[0]
        raise IqbenchError(
            f"{name} cannot be read: {type(error).__name__}: {first_line}"
        ) from error


def read_job(
    job: Job,
    *,
    signatures: Signatures,
    known: KnownMarks,
    protocol: Protocol,
    views: Collection[View],
    alpha: Alpha,
    bitstreams: Mapping[str, Mapping[str, Bitstream]],
    lacking: Callable[[Output], frozenset[str]] = lambda output: frozenset(),
    files: Mapping[str, KnownFile] | None = None,
) -> ReadJob:
    """Read a job's files and decode what has to be scored.

    Files are digested first: where the tables already have every column for these very files,
    nothing is decoded. A file whose digest is known from before is read only to be decoded.

    Parameters
    ----------
    job
        What to read.
    signatures
        The columns to compute and their signatures.
    known
        What the tables have of the outputs; nothing where everything is to be computed again.
    protocol
        May say the peak.
    views
        Say which sizes, and gray and colour, fit together.
    alpha
        What to do with transparency.
    bitstreams
        By method and image; they are digested, too.
    lacking
        Names the set-level columns for which features of an output or its reference are missing.
    files
        What is known of files without reading them, by their identities.

    Returns
    -------
    ReadJob
        One output each; errors are in it, none is raised.
    """
    read_all = partial(
        _read_all,
        job,
        signatures=signatures,
        known=known,
        protocol=protocol,
        views=views,
        alpha=alpha,
        bitstreams=bitstreams,
        lacking=lacking,
    )
    try:
        return read_all(_JobFiles(files or {}))
    except _NotAsKnownError:  # then nothing that is known of these files counts
        return read_all(_JobFiles({}))


class _NotAsKnownError(Exception):
    """A file is not what was known of it, or cannot be read."""


class _JobFile:
    """A file of a job, of which digest and header are known or were read.

    Parameters
    ----------
    source
        The file.
    known
        What is known of it, or its content where it was read.
    """

    def __init__(self, source: Source, known: KnownFile | Content) -> None:
        self._source = source
        self._content = None if isinstance(known, KnownFile) else known
        self.digest, self.bytes = known.digest, known.bytes
        self.header = known.header if isinstance(known, KnownFile) else header_of(known)

    def content(self) -> Content:
        """Return the bytes, read now if they were not.

        Raises
        ------
        _NotAsKnownError
            If they are not those that were known, or cannot be read.
        """
        if self._content is None:
            try:
                with in_sentences(self._source.name):
                    self._content = self._source.read()
            except IqbenchError as error:
                raise _NotAsKnownError from error
            if self._content.digest != self.digest:
                raise _NotAsKnownError
        return self._content


class _JobFiles:
    """Opens the files of a job, and learns what they are.

    Parameters
    ----------
    known
        What is known of files without reading them, by their identities.
    """

    def __init__(self, known: Mapping[str, KnownFile]) -> None:
        self._known = known
        self.learned: dict[str, KnownFile] = {}

    def open(self, source: Source) -> _JobFile:
        """Read a file, unless it is known.

        Raises
        ------
        IqbenchError
            If it cannot be read.
        """
        known = known_image(source, self._known)
        if known is not None:
            return _JobFile(source, known)
        with in_sentences(source.name):
            content = source.read()
        file = _JobFile(source, content)
        self.learned |= learned_of(source, content, file.header)
        return file

    def bits(self, bitstream: Bitstream) -> Bits:
        """Count and digest a bitstream, unless it is known.

        Raises
        ------
        IqbenchError
            If it cannot be read.
        """
        identity = bitstream.identity
        known = None if identity is None else self._known.get(identity)
        if known is not None:
            return Bits(known.bytes, known.digest)
        bits = bitstream.read()
        if identity is not None:
            self.learned[identity] = KnownFile(bits.digest, bits.bytes, None)
        return bits

    def check_bits(self, bitstream: Bitstream, bits: Bits | None) -> None:
        """Read a bitstream that was only known, before a value is counted from it.

        Raises
        ------
        _NotAsKnownError
            If it is not what was known, or cannot be read.
        """
        if bitstream.identity not in self._known:
            return
        try:
            found = bitstream.read()
        except IqbenchError as error:
            raise _NotAsKnownError from error
        if found != bits:
            raise _NotAsKnownError


def _read_all(
    job: Job,
    files: _JobFiles,
    *,
    signatures: Signatures,
    known: KnownMarks,
    protocol: Protocol,
    views: Collection[View],
    alpha: Alpha,
    bitstreams: Mapping[str, Mapping[str, Bitstream]],
    lacking: Callable[[Output], frozenset[str]],
) -> ReadJob:
    """Read a job's files; see `read_job`."""
    first: _JobFile | None = None
    reference: Picture | None = None
    broken: str | None = None
    try:
        if job.reference is not None:
            first = files.open(job.reference)
    except IqbenchError as error:
        broken = f"reference: {error}"
    digest = first.digest if first else None
    facts = first.header if first else None
    outputs = []
    for image in job.outputs:
        output = Output(image, reference_digest=digest)
        try:
            file = files.open(image.source)
        except IqbenchError as error:
            outputs.append(replace(output, error=str(error)))
            continue
        output = replace(output, digest=file.digest, bytes=file.bytes)
        alone = digest is None
        bitstream = bitstreams.get(image.method, {}).get(image.image)
        output = _with_bits(output, bitstream, file.header, files)
        peaks = _peaks(file.header if alone else facts, file.header, protocol)
        output = replace(output, peaks=peaks)
        marks = known.get((image.method, image.image), {})
        columns = _missing(output, signatures, marks) | lacking(output)
        output = replace(output, columns=columns)
        if output.columns:
            read = file.content()
            if bitstream is not None:
                files.check_bits(bitstream, output.bits)
            if first is not None and job.reference is not None:
                reference, broken = _decode_reference(first, job.reference.name, alpha)
                first = None  # a file's bytes are not kept beside its pixels
            fitted = replace(output, error=broken)
            if reference is not None:
                fitted = _decode(
                    output,
                    read,
                    reference,
                    protocol=protocol,
                    views=views,
                    alpha=alpha,
                    alone=bool(signatures.alone),
                )
            lone = reference is None or fitted.error
            output = _decode_alone(fitted, read, signatures, protocol, alpha) if lone else fitted
            if output.picture:  # now its peaks are known
                columns = _missing(output, signatures, marks) | lacking(output)
                output = replace(output, columns=columns)
                if not columns:
                    output = replace(output, picture=None, remarks=())
        outputs.append(output)
    return ReadJob(reference, tuple(outputs), files.learned)


def pin(job: ReadJob) -> ReadJob:
    """Put what was decoded where a GPU reads it by itself; see `iqbench.images.tensors.pinned`."""
    from iqbench.images.tensors import pinned

    def there(picture: Picture | None) -> Picture | None:
        return picture and replace(picture, pixels=pinned(picture.pixels))

    outputs = tuple(replace(one, picture=there(one.picture)) for one in job.outputs)
    return replace(job, reference=there(job.reference), outputs=outputs)


def _missing(
    output: Output, signatures: Signatures, marks: Mapping[tuple[str, str], str | None]
) -> frozenset[str]:
    """Name the columns that the tables lack of these very files: all, if peaks are not known."""
    wanted = signatures.of(output.peaks)
    if not marks or output.peaks is None:
        return frozenset(wanted)
    known = set()
    for name, text in wanted.items():
        mark = signatures.mark(name, output.reference_digest, output.digest, output.bitstream)
        if mark is not None and marks.get((name, text)) == mark:
            known.add(name)
    return frozenset(wanted) - known


def _with_bits(
    output: Output, bitstream: Bitstream | None, header: ImageHeader | None, files: _JobFiles
) -> Output:
    """Digest the bitstream of an output, if it has one."""
    if bitstream is None:
        return output
    try:
        bits = files.bits(bitstream)
    except IqbenchError as error:
        return replace(output, no_bits=str(error))
    size = (header.height, header.width) if header else (None, None)
    return replace(output, bits=bits, bitstream=bitstream_mark(bits.digest, *size))


def header_of(file: Content | Source) -> ImageHeader | None:
    """Read a header; None if it is damaged: decoding then says why."""
    try:
        return file.probe()
    except IqbenchError:
        return None


def _peaks(
    reference: ImageHeader | None, output: ImageHeader | None, protocol: Protocol
) -> Peaks | None:
    """Say which sample values are white, if the headers tell."""
    if reference is None or output is None:
        return Peaks(255, 255)  # nothing will be computed: what is known of the files stays known
    return peaks_of_headers(reference, output, protocol.peak)


def _decode_reference(file: _JobFile, name: str, alpha: Alpha) -> tuple[Picture | None, str | None]:
    """Decode a reference, or say what is wrong with it."""
    content = file.content()
    try:
        with in_sentences(name):
            return content.decode(alpha=alpha), None
    except IqbenchError as error:
        return None, f"reference: {error}"


def _decode(
    output: Output,
    content: Content,
    reference: Picture,
    *,
    protocol: Protocol,
    views: Collection[View],
    alpha: Alpha,
    alone: bool,
) -> Output:
    """Decode an output and see that it fits its reference."""
    name = output.image.source.name
    try:
        with in_sentences(name):
            # Before it is decoded: the reference says how much memory this may take.
            check_size(reference, content.probe(), (reference.name, name), views)
            picture = content.decode(alpha=alpha)
            pair = fit_pair(reference, picture, protocol, views, alone=alone)
    except IqbenchError as error:
        return replace(output, error=str(error))
    return replace(output, picture=pair.output, peaks=pair.peaks, remarks=pair.remarks)


def _decode_alone(
    output: Output, content: Content, signatures: Signatures, protocol: Protocol, alpha: Alpha
) -> Output:
    """Decode an output for what needs no reference, where it has none or one that does not fit."""
    if not output.columns & (signatures.alone | signatures.bitstreams):
        lacking = "; ".join(signatures.lacking.values())
        return output if output.error else replace(output, error=lacking)
    try:
        with in_sentences(output.image.source.name):
            fitted = fit_alone(content.decode(alpha=alpha), protocol)
    except IqbenchError as error:
        return replace(output, error=str(error))
    return replace(
        output,
        picture=fitted.output,
        peaks=fitted.peaks,
        remarks=fitted.remarks,
        alone=True,
        unfit=output.error,
        error=None,
    )
