"""Check whether a dataset is complete and correct: its files, digests and pixels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from iqbench.datasets.dataset import DatasetSpec
from iqbench.datasets.digests import file_digest, read_checksums
from iqbench.datasets.files import some
from iqbench.datasets.layout import MissingDataError
from iqbench.datasets.sample import Sample
from iqbench.errors import IqbenchError
from iqbench.images.source import FileSource, Source

__all__ = ["Problem", "Progress", "Verification", "verify"]

_DEGRADED = frozenset(
    {"blur", "degraded", "distorted", "hazy", "input", "inputs", "low", "lq", "lr", "noisy"}
    | {"rain", "rainy"}
)
"""What folders of degraded images are called."""


class Progress(Protocol):
    """Who is told how far it is."""

    def begin(self, what: str, total: int) -> None:
        """Hear what begins, and how many steps it has."""
        ...

    def advance(self, done: int) -> None:
        """Hear that so many more are done."""
        ...


@dataclass(frozen=True)
class Problem:
    """Something that is not as it should be.

    Attributes
    ----------
    kind
        ``missing``, ``damaged``, ``changed`` (another digest than it must have), ``duplicated``
        (the same content twice), ``extra`` (not in the list of checksums), or ``wrong`` (the
        dataset as a whole).
    file
        The file, as its source calls it, or a path below the data root; the dataset's name where
        it is about the whole.
    problem
        What is off, in a sentence.
    """

    kind: str
    file: str
    problem: str


@dataclass
class Verification:
    """The result of a verification.

    Attributes
    ----------
    dataset
        The name.
    images, outputs
        How many references and distorted images there are.
    checked
        How many files were read.
    decoded
        Whether their pixels were decoded too.
    listed
        How many files the list of checksums has; 0 where there is none, so that the content is
        not known.
    absent
        Whether there is nothing at all.
    problems
        What is not as it should be.
    notes
        What is not a problem and still worth knowing.
    """

    dataset: str
    images: int = 0
    outputs: int = 0
    checked: int = 0
    decoded: bool = False
    listed: int = 0
    absent: bool = False
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """Say it in a few words."""
        if self.absent:
            return "missing"
        if self.problems:
            kinds = {problem.kind for problem in self.problems}
            # Where nothing could be listed, files and opinions may not fit, or be exchanged.
            lacks = "missing" in kinds or bool(self.images)
            return "incomplete" if lacks and kinds <= {"missing", "wrong"} else "wrong"
        return "as published" if self.listed else "complete, contents not known"

    def row(self) -> dict[str, Any]:
        """All of it, for ``--format json``."""
        return {
            **{key: value for key, value in vars(self).items() if key not in {"problems", "notes"}},
            "verdict": self.verdict,
            "problems": [vars(problem) for problem in self.problems],
            "notes": self.notes,
        }


def verify(
    spec: DatasetSpec, *, decode: bool = False, progress: Progress | None = None
) -> Verification:
    """Read every file of a dataset and compare it with what is known.

    Parameters
    ----------
    spec
        The dataset. Where its block names a list of checksums, each file must have its digest.
    decode
        Decode the pixels too; else damage is found by digests and the files' structure only.
    progress
        Is told how far it is.

    Returns
    -------
    Verification
        With all problems; none is raised.

    Raises
    ------
    IqbenchError
        If the list of checksums is not as it should be.
    """
    known = read_checksums(spec.checksums)
    found = Verification(spec.name, decoded=decode, listed=len(known))
    samples: Sequence[Sample] = []
    try:
        samples, ignored = spec.list_samples()
        found.notes += [f"no image of the dataset, left out: {name}" for name in ignored]
    except MissingDataError as error:
        found.absent = True
        found.problems.append(Problem("missing", spec.name, str(error)))
    except IqbenchError as error:
        found.problems.append(Problem("wrong", spec.name, str(error)))
    found.images = len(samples)
    found.outputs = sum(len(sample.outputs) for sample in samples)
    if samples:
        wrong = spec.count_problems(samples)
        found.problems += [Problem("wrong", spec.name, error.message) for error in wrong]
    found.problems += [
        Problem("wrong", sample.needed_reference.name, sample.problem)
        for sample in samples
        if sample.problem
    ]
    for path in spec.missing_files():
        found.problems.append(Problem("missing", path, "the file is not there"))
    if not found.absent:
        _Reading(spec, known, decode, found).read_all(samples, progress)
        found.notes += _hints(spec, samples, known)
    return found


@dataclass
class _Reading:
    """The files read so far."""

    spec: DatasetSpec
    known: Mapping[str, str]
    decode: bool
    found: Verification
    first: dict[tuple[str, str], str] = field(default_factory=dict)

    def read_all(self, samples: Sequence[Sample], progress: Progress | None) -> None:
        """Read all images of the dataset, then what the list of checksums has beside them."""
        images = list(_images(samples))
        paths = {path for _, source in images if (path := self._path(source))}
        companions = [
            path for path in self.known if path not in paths and self._below(path).is_file()
        ]
        if progress is not None:
            progress.begin(self.spec.name, len(images) + len(companions))
        digests: dict[str, str] = {}
        for group, source in images:
            digest = self._read(source, digests)
            if digest is not None:
                self._compare(group, source, digest)
            if progress is not None:
                progress.advance(1)
        copies = [
            output.image
            for sample in samples
            for output in sample.outputs
            if sample.needed_reference.name in digests
            and digests.get(output.source.name) == digests[sample.needed_reference.name]
        ]
        if copies:
            self.found.notes.append(
                f"{len(copies)} distorted images are byte for byte their references: {some(copies)}"
            )
        for path in companions:
            self._check_digest(path, path, file_digest(self._below(path)))
            self.found.checked += 1
            if progress is not None:
                progress.advance(1)

    def _below(self, path: str) -> Path:
        return (self.spec.local_root or Path()) / path

    def _path(self, source: Source) -> str | None:
        """Return a file's path below the root, as the list of checksums would have it."""
        if self.spec.local_root is None or not isinstance(source, FileSource):
            return None
        if not source.path.is_relative_to(self.spec.local_root):
            return None
        return source.path.relative_to(self.spec.local_root).as_posix()

    def _read(self, source: Source, digests: dict[str, str]) -> str | None:
        """Read an image once, and return its digest; None if it cannot be read."""
        if source.name in digests:
            return None
        try:
            content = source.read()
            digests[source.name] = content.digest
            self.found.checked += 1
            if self.decode:
                content.decode(alpha="composite")
            else:
                content.probe()
        except IqbenchError as error:
            there = not isinstance(source, FileSource) or source.path.exists()
            self._problem("damaged" if there else "missing", source.name, error.message)
        return digests.get(source.name)

    def _compare(self, group: str, source: Source, digest: str) -> None:
        path = self._path(source)
        if self.known and path is not None and path not in self.known:
            self._problem("extra", path, "the list of checksums does not have it")
        elif path is not None and path in self.known:
            self._check_digest(path, source.name, digest)
        other = self.first.setdefault((group, digest), source.name)
        if other != source.name and digest != self.known.get(path or ""):
            self._problem("duplicated", source.name, f"it has the same content as {other}")

    def _check_digest(self, path: str, name: str, digest: str) -> None:
        if digest == self.known[path]:
            return
        belongs = [other for other, right in self.known.items() if right == digest]
        what = f"it holds what should be {belongs[0]}" if belongs else f"its sha256 is {digest}"
        self._problem("changed", name, f"this is not the published file: {what}")

    def _problem(self, kind: str, file: str, problem: str) -> None:
        self.found.problems.append(Problem(kind, file, problem))


def _images(samples: Iterable[Sample]) -> Iterator[tuple[str, Source]]:
    """Give every image with the group in which no content may be there twice.

    Where people chose among two, the same patch may well be shown in several choices.
    """
    for sample in samples:
        choices = any(o.opinion and o.opinion.direction == "choice" for o in sample.outputs)
        own = f" of {sample.image}" if choices else ""
        yield f"reference{own}", sample.needed_reference
        for output in sample.outputs:
            yield f"output of {output.method}{own}", output.source


def _hints(spec: DatasetSpec, samples: Sequence[Sample], known: Mapping[str, str]) -> list[str]:
    """Say what cannot be told without checksums, and what looks exchanged."""
    if known or not samples:
        return []
    notes = []
    references = [s.reference.path for s in samples if isinstance(s.reference, FileSource)]
    folders = {path.parent.name for path in references}
    odd = sorted(folder for folder in folders if folder.lower() in _DEGRADED)
    if odd:
        notes.append(
            f"references lie in a folder called {odd[0]!r}: are references and degraded images "
            "exchanged?"
        )
    if references:
        notes.append(
            f"no checksums of {spec.name} are known: that these are the published files, and that "
            "references and degraded images are not exchanged, was not seen"
        )
    return notes
