"""Find each image's output in a method's folder by name; no file is opened."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from iqbench.datasets.dataset import Dataset
from iqbench.datasets.files import (
    composed,
    is_file,
    is_folder,
    is_hidden,
    is_image_name,
    natural_key,
    some,
    split_suffix,
    walk,
)
from iqbench.datasets.files_by_id import FilesById
from iqbench.datasets.layouts.folder import FolderLayout
from iqbench.datasets.matching.bitstreams import FOLDER as BITSTREAMS
from iqbench.datasets.matching.comparison import pair_names
from iqbench.datasets.matching.hints import NameOption, suffix_hint, unlike_hint
from iqbench.datasets.matching.methods import Method
from iqbench.datasets.storage.paths import Place, StoredPath
from iqbench.datasets.storage.places import archives_hint
from iqbench.datasets.storage.stored_file import StoredFile
from iqbench.datasets.template import OutputName
from iqbench.errors import IqbenchError
from iqbench.images.source import FileSource
from iqbench.user_files import why_no_file

__all__ = ["Matches", "match_outputs"]


@dataclass(frozen=True)
class Matches:
    """What a method has for a dataset.

    Attributes
    ----------
    outputs
        The output file of each image that has exactly one.
    problems
        Why an image has none, one sentence each that names the files: missing or ambiguous.
        Together with ``outputs`` it covers the dataset.
    extra
        Image files and folders beside the outputs that belong to no image, relative to ``folder``.
    attempted
        False where the method has nothing for the whole dataset; ``problems`` is empty then.
    folder
        Where the outputs were looked for.
    message
        Where ``attempted`` is False, the line that says so.
    hint
        Where outputs are missing or ambiguous, the options that would settle it, if any would.
    """

    outputs: Mapping[str, Place]
    problems: dict[str, str]
    extra: list[str]
    attempted: bool
    folder: Place
    message: str = ""
    hint: str = ""


@dataclass
class _Index:
    """The visible files and sub-folders of the folders that were listed, by relative stem.

    Accents may be parts of letters or stand apart, as macOS writes them: what is not found as it
    is spelt is found in the other form.

    Attributes
    ----------
    files
        By stem: the names of regular files, and of links to such.
    others
        By stem: the names of links that lead nowhere, of pipes and of devices.
    folders
        The names of folders.
    """

    files: dict[str, list[str]] = field(default_factory=dict)
    others: dict[str, list[str]] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)

    def add(self, level: str, name: str, *, folder: bool, regular: bool = True) -> None:
        """Enter a file or folder that lies in the folder `level`."""
        if folder:
            self.folders.append(f"{level}{name}/")
        else:
            stem = split_suffix(name)[0]
            names = self.files if regular else self.others
            names.setdefault(composed(level + stem), []).append(level + name)

    def images(self) -> Iterable[str]:
        return (name for names in self.files.values() for name in names if is_image_name(name))

    def named(self, stem: str) -> list[str]:
        names = self.files.get(composed(stem), [])
        return [name for name in names if split_suffix(name)[0] == stem] or names

    def candidates(self, stem: str, suffix: str) -> list[str]:
        names = self.named(stem)
        if suffix:
            return [name for name in names if split_suffix(name)[1].lower() == suffix.lower()]
        return sorted(name for name in names if is_image_name(name))


def match_outputs(
    method: Method,
    dataset: Dataset,
    *,
    alone: bool,
    output_name: str | None = None,
    ways: Collection[str] = (),
    kind: Literal["output", "input"] = "output",
    hint_of_method: bool = False,
) -> Matches:
    """Pair a dataset's images with a method's output files.

    Parameters
    ----------
    method
        The folder of outputs. They lie in its sub-folder that is named as the dataset.
    dataset
        The images.
    alone
        Whether the run has this dataset only: then, without such a sub-folder, they may lie in
        the method's folder itself.
    output_name
        A template such as ``{id}_x4``, in place of the dataset's own. That of the method comes
        before both.
    ways
        How names are compared of which none is spelt as it should be: some of
        `iqbench.datasets.matching.comparison.WAYS`. What is spelt so comes first.
    kind
        What the files are, for messages: a function's inputs are matched as outputs are.
    hint_of_method
        Whether the hint gives a template to this method alone, and not to all of a run.

    Returns
    -------
    Matches
        Every image of the dataset is either in ``outputs`` or in ``problems``, unless the
        dataset was not attempted.

    Raises
    ------
    IqbenchError
        If the template is wrong or a folder cannot be listed.
    """
    names = (method.output_name, output_name, dataset.spec.output_name)
    template = OutputName.parse(next(name for name in names if name is not None))
    own_option = hint_of_method or method.output_name is not None
    option = NameOption(method.name, method.folder) if own_option else NameOption()
    if method.problem:
        refused = {sample.image: method.problem for sample in dataset.samples}
        return Matches({}, refused, [], attempted=True, folder=method.folder)
    stems = {
        sample.image: template.stem(sample.image)
        for sample in dataset.samples
        if not sample.problem
    }
    levels = {"", *(level for stem in stems.values() for level in _levels(stem))}
    own = method.folder / dataset.name
    folder = own
    if alone and (not own.is_dir() or _holds_references(own, dataset)):
        folder = method.folder
    if not folder.is_dir():
        return _not_attempted(method, dataset, folder, f"there is no folder {folder}")
    index = _list(folder, levels)
    beside = ""
    if alone and folder == own:
        indices = (index, _list(method.folder, levels))
        beside = _outputs_beside(method, dataset, indices, stems, template, kind=kind)
    pairs = _MatchedOutputs(folder, template, kind)
    pairs.find(stems, index)
    taken = pairs.used.union(*index.others.values())
    others = [name for name in pairs.others(strict=bool(ways)) if name not in taken]
    if others:
        # A folder above that of the references has them too, and they fit by name.
        others = _without_references(folder, others, dataset)
    if ways:
        pairs.find_unlike(others, ways)
        others = [name for name in others if name not in pairs.used]
    hint = beside or unlike_hint(
        stems, pairs.lost, others, ways, templates=_is_bare_folder(dataset), option=option
    )
    if not pairs.used and not any(index.images()) and levels.isdisjoint(index.folders):
        why = ". ".join(filter(None, [_no_images(folder, index), hint]))
        return _not_attempted(method, dataset, folder, why)
    extra = {name for name in index.images() if name not in pairs.used}
    if ways:
        extra |= set(others)
    # The method's own folder may hold other datasets' outputs, which are none of this one's.
    if folder == own:
        reached = {level for name in pairs.used for level in _levels(name)}
        known = {f"{BITSTREAMS}/", *levels, *reached}
        extra |= {name for name in index.folders if name not in known}
    outputs, problems = pairs.outputs, pairs.problems
    problems |= {sample.image: sample.problem for sample in dataset.samples if sample.problem}
    return Matches(
        outputs=FilesById(folder, dataset.ids, outputs.items()),
        problems=problems,
        extra=sorted(extra, key=natural_key),
        attempted=True,
        folder=folder,
        hint=hint or suffix_hint(template, pairs.claims.values(), option),
    )


@dataclass
class _MatchedOutputs:
    """Which outputs have been found for which images, and which have not.

    Attributes
    ----------
    outputs, problems
        By image: the output's name; why there is none.
    claims
        By image: the files that are named as its output should be.
    lost
        By image: how its output should be named, where nothing is.
    used
        The names in any of these.
    """

    folder: Place
    template: OutputName
    kind: str
    outputs: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    claims: dict[str, list[str]] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def find(self, stems: Mapping[str, str], index: _Index) -> None:
        """Find the outputs that are named as they should be."""
        respelled: dict[str, list[str]] = {}
        for image, stem in stems.items():
            names = index.candidates(stem, self.template.suffix)
            if names and not stem.isascii() and split_suffix(names[0])[0] != stem:
                respelled[image] = names
            else:
                self._take(image, stem, names, index)
        claims: dict[str, list[str]] = {}
        for image, names in respelled.items():
            respelled[image] = [name for name in names if name not in self.used]
            for name in respelled[image]:
                claims.setdefault(name, []).append(image)
        for image, names in respelled.items():
            contested = [name for name in names if len(claims[name]) > 1]
            if contested:
                self.used.update(contested)
                images = " or ".join(map(ascii, claims[contested[0]]))
                self._doubt(image, f"{contested[0]}, which could be that of {images}")
            else:
                self._take(image, stems[image], names, index)

    def _take(self, image: str, stem: str, names: list[str], index: _Index) -> None:
        """Take the one file that is named as an image's output; else say what is wrong."""
        self.used.update(names)
        if not names:
            self._miss(image, stem, index)
            return
        self.claims[image] = names
        if len(names) == 1:
            self.outputs[image] = names[0]
        else:
            self._doubt(image, ", ".join(names))

    def find_unlike(self, others: Sequence[str], ways: Collection[str]) -> None:
        """Find the outputs of other images among other names, compared in some ways."""
        found = pair_names(self.lost, others, ways)
        self.outputs |= found.outputs
        self.used |= found.used
        for image in found.outputs:
            del self.problems[image], self.lost[image]
        for image, why in found.doubts.items():
            del self.lost[image]
            self._doubt(image, why)

    def others(self, *, strict: bool) -> list[str]:
        """Name the images in the folder and below that outputs may be, if any output is missing.

        Where not `strict`, a folder that cannot be listed ends the search in silence.
        """
        names: list[str] = []
        if self.lost:
            with nullcontext() if strict else suppress(IqbenchError):
                names.extend(name for name in walk(self.folder) if is_image_name(name))
        suffix = self.template.suffix.lower()
        return [
            name
            for name in names
            if not name.startswith(f"{BITSTREAMS}/") and name.lower().endswith(suffix)
        ]

    def _miss(self, image: str, stem: str, index: _Index) -> None:
        wanted = f"{stem}{self.template.suffix or '.*'}"
        unread = sorted(name for name in index.named(stem) if not is_image_name(name))
        there = f"; {unread[0]} does not end like an image that is read" if unread else ""
        if unusable := index.others.get(composed(stem)):
            there = f"; {_what_it_is(self.folder, min(unusable))}"
        self.problems[image] = f"missing {self.kind}: no {wanted} in {self.folder}{there}"
        self.lost[image] = stem

    def _doubt(self, image: str, why: str) -> None:
        self.problems[image] = f"ambiguous {self.kind} in {self.folder}: {why}"


def _is_bare_folder(dataset: Dataset) -> bool:
    """Tell whether the references are a folder whose names no template takes apart yet."""
    data = dataset.spec.data
    return isinstance(data, FolderLayout) and (data.references, data.id) == (".", "{id}")


def _holds_references(folder: Place, dataset: Dataset) -> bool:
    """Tell whether a folder in a method's, named as the dataset, is that of the references."""
    if isinstance(folder, StoredPath):
        inside = {folder.storage.files[f"{folder.path}/{name}"].name for name in folder.walk()}
        return any(
            isinstance(sample.reference, StoredFile) and sample.reference.name in inside
            for sample in dataset.samples
        )
    folders = {
        sample.reference.path.parent
        for sample in dataset.samples
        if isinstance(sample.reference, FileSource)
    }
    resolved = folder.resolve()
    return any(resolved in (place, *place.parents) for place in map(Path.resolve, folders))


def _without_references(folder: Place, names: Sequence[str], dataset: Dataset) -> list[str]:
    """Leave out the files of a folder that are references of the dataset."""
    references = [sample.reference for sample in dataset.samples]
    if isinstance(folder, StoredPath):
        stored = {one.name for one in references if isinstance(one, StoredFile)}
        files = folder.storage.files
        return [name for name in names if files[(folder / name).path].name not in stored]
    resolved = cache(Path.resolve)
    known = {
        (resolved(one.path.parent), one.path.name)
        for one in references
        if isinstance(one, FileSource)
    }
    paths = ((name, folder / name) for name in names)
    return [name for name, path in paths if (resolved(path.parent), path.name) not in known]


def _outputs_beside(
    method: Method,
    dataset: Dataset,
    indices: tuple[_Index, _Index],
    stems: Mapping[str, str],
    template: OutputName,
    *,
    kind: str,
) -> str:
    """Say where outputs are that lie in the method's folder, beside that of the dataset.

    Where both have some, either could be meant: they are refused.
    """
    own = method.folder / dataset.name
    inside, outside = (
        any(index.candidates(stem, template.suffix) for stem in stems.values()) for index in indices
    )
    if inside and outside:
        option = f"--method {method.name}={own}" if kind == "output" else f"inputs={str(own)!r}"
        raise IqbenchError(
            f"method {method.name!r} has outputs for dataset {dataset.name!r} in {own} and in "
            f"{method.folder}"
            if kind == "output"
            else f"there are inputs of dataset {dataset.name!r} in {own} and in {method.folder}",
            hint=f"Say which: {option}, or --dataset-name with another name "
            f"for those in {method.folder}",
        )
    if not outside:
        return ""
    return (
        f"Outputs with these names are in {method.folder}, which is not searched because there "
        f"is {own}. To score them, rename that folder, or give another --dataset-name"
    )


def _not_attempted(method: Method, dataset: Dataset, folder: Place, why: str) -> Matches:
    message = f"method {method.name!r} did not attempt dataset {dataset.name!r}: {why}"
    return Matches({}, {}, [], attempted=False, folder=folder, message=message)


def _no_images(folder: Place, index: _Index) -> str:
    inside = ", ".join(sorted(index.folders, key=natural_key)[:3])
    files = [name for names in index.files.values() for name in names]
    only = f"folders ({inside})" if inside else some(files)
    if not only and index.others:
        others = sorted(
            (name for names in index.others.values() for name in names), key=natural_key
        )
        more = f", and {len(others) - 1} more" if len(others) > 1 else ""
        return f"folder {folder} holds no images: {_what_it_is(folder, others[0])}{more}"
    hint = archives_hint(folder, files)
    why = f"folder {folder} holds no images" + (f", only {only}" if only else "")
    return f"{why}. {hint}" if hint else why


def _what_it_is(folder: Place, name: str) -> str:
    """Say why something that lies in a folder cannot be read."""
    try:
        return f"{name} {why_no_file(Path(str(folder / name)))}"
    except OSError as error:
        return f"{name} cannot be read: {error.strerror}"


def _levels(stem: str) -> Iterable[str]:
    """Name the folders on the way to a file: ``a/b/c`` has ``""``, ``a/`` and ``a/b/``."""
    yield ""
    for position, character in enumerate(stem):
        if character == "/":
            yield stem[: position + 1]


def _list(folder: Place, levels: Iterable[str]) -> _Index:
    """List the folders in which outputs should lie, each once and no other."""
    index = _Index()
    for level in levels:
        if isinstance(folder, StoredPath):
            for name, is_sub_folder in (folder / level).scan():
                index.add(level, name, folder=is_sub_folder)
            continue
        try:
            with os.scandir(folder / level) as entries:
                for entry in entries:
                    if is_hidden(entry.name):
                        continue
                    if is_folder(entry):
                        index.add(level, entry.name, folder=True)
                    else:
                        index.add(level, entry.name, folder=False, regular=is_file(entry))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise IqbenchError(f"cannot list folder {folder / level}: {error.strerror}") from error
    return index
