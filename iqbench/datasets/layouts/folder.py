"""A folder of reference images, with or without sub-folders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from iqbench.datasets.files import (
    is_image_name,
    natural_key,
    some,
    spell_name,
    split_suffix,
    unusable_name,
    walk,
)
from iqbench.datasets.files_by_id import FileSamples, FilesById, Ids
from iqbench.datasets.layout import BelowRoot, DataRoot, Layout, file_below, folder_below
from iqbench.datasets.opinions.tables import read_lines
from iqbench.datasets.sample import Sample
from iqbench.datasets.storage.paths import Place
from iqbench.datasets.storage.places import archives_hint
from iqbench.datasets.template import ReferenceName
from iqbench.errors import IqbenchError

__all__ = ["FolderLayout"]


def _id_template(template: str) -> str:
    try:
        ReferenceName.parse(template)
    except IqbenchError as error:
        raise ValueError(str(error)) from error
    return template


class FolderLayout(Layout):
    """Every image below one folder is a reference; its id is its path there without suffix.

    Attributes
    ----------
    references
        The folder, below the data root.
    files
        Glob patterns of the references' paths below that folder, where not every image there is
        one: ``*.png`` (no sub-folders), ``**/*_gt.png`` (any depth).
    id
        Template that takes the id out of the path, where that is not all of it: ``norain-{id}``,
        ``{scene}/sharp/{frame}``.
    listed_in
        A text file, below the data root, that chooses the references: each line begins with the
        path of one below the folder.
    inputs
        A folder of degraded images, below the data root, that chooses the references: those that
        are named like one of them.
    """

    layout: Literal["folder"]
    references: BelowRoot
    files: Annotated[list[str], Field(min_length=1)] | None = None
    id: Annotated[str, AfterValidator(_id_template)] = "{id}"
    listed_in: BelowRoot | None = None
    inputs: BelowRoot | None = None

    def samples(self, root: DataRoot | None) -> Sequence[Sample]:
        """List the references in natural order (``img_2`` before ``img_10``).

        A file whose name cannot be used is listed with its problem, under its name with escapes.

        Raises
        ------
        MissingDataError
            If no root is known or a folder or the list is not there.
        IqbenchError
            If the folder holds no reference, two references of one id, or a name that does not
            fit the template; or if a reference that the list or the inputs ask for is not there.
        """
        folder = self._folder(root, self.references)
        wanted = self._wanted()
        template = ReferenceName.parse(self.id)
        by_id: dict[str, str] = {}
        for name in self._chosen(root, [name for name in walk(folder) if wanted(name)]):
            image = template.image(split_suffix(spell_name(name))[0])
            if image is None:
                raise IqbenchError(
                    f"{folder / name} is not named as references are, {self.id!r}",
                    hint="Take it away, or choose by `files:` in the dataset's block",
                )
            if image in by_id:
                first, second = sorted((by_id[image], name))
                raise IqbenchError(
                    f"two references of {folder} have the id {image!r}: {first} and {second}",
                    hint="Keep one of them, or choose by `files:` in the dataset's block",
                )
            by_id[image] = name
        if not by_id:
            what = " or ".join(self.files) if self.files else "image (PNG, JPEG, BMP, TIFF, WebP)"
            raise IqbenchError(
                f"reference folder {folder} holds no {what}",
                hint=archives_hint(folder, walk(folder)),
            )
        files = FilesById(folder, Ids(sorted(by_id, key=natural_key)), by_id.items())
        found = ((image, _problem(name)) for image, name in by_id.items())
        return FileSamples(files, {image: problem for image, problem in found if problem})

    def places(self) -> tuple[str, ...]:
        """Name the folder of references."""
        return (self.references,)

    def ignored(self, root: DataRoot | None, samples: Sequence[Sample]) -> list[str]:
        """Name the files that no image ends like; none where the block says what is wanted."""
        del samples
        if self.files or self.listed_in or self.inputs:
            return []
        folder = self._folder(root, self.references)
        return sorted((name for name in walk(folder) if not is_image_name(name)), key=natural_key)

    def _folder(self, root: DataRoot | None, place: str) -> Place:
        what = "reference folder" if place == self.references else "folder of inputs"
        return folder_below(root, place, what)

    def _chosen(self, root: DataRoot | None, names: list[str]) -> Iterable[str]:
        """Narrow the references to those that the list or the inputs ask for."""
        if self.listed_in is not None:
            chosen = _read_list(file_below(root, self.listed_in, "list of references"))
            names = _all_there(chosen, names, str)
        if self.inputs is not None:
            inputs = [name for name in walk(self._folder(root, self.inputs)) if is_image_name(name)]
            names = _all_there(map(_last_stem, inputs), names, _last_stem)
        return names

    def _wanted(self) -> Callable[[str], bool]:
        if not self.files:
            return is_image_name
        globs = [glob.split("/") for glob in self.files]
        return lambda name: any(_matches(name.split("/"), glob) for glob in globs)


def _problem(name: str) -> str:
    why = unusable_name(name)
    return f"the name of the reference {name!r} cannot be used: {why}; rename it" if why else ""


def _last_stem(name: str) -> str:
    return split_suffix(name.rpartition("/")[2])[0]


def _all_there(wanted: Iterable[str], names: list[str], key: Callable[[str], str]) -> list[str]:
    """Keep the names whose key is wanted, and refuse where a wanted one has none."""
    keys = dict.fromkeys(wanted)
    kept = [name for name in names if key(name) in keys]
    missing = list(keys.keys() - {key(name) for name in kept})
    if missing:
        raise IqbenchError(f"references are missing: {some(missing)}", hint="Complete the data")
    return kept


def _read_list(path: Place) -> list[str]:
    """Read the first word of every line."""
    return [line.split()[0].removeprefix("./") for _, line in read_lines(path)]


def _matches(parts: Sequence[str], glob: Sequence[str]) -> bool:
    """Match a path with a glob, component by component; ``**`` is any number of folders."""
    head, rest = glob[0], glob[1:]
    if head == "**":
        if not rest:
            return True
        return _matches(parts, rest) or (len(parts) > 1 and _matches(parts[1:], glob))
    if bool(rest) != (len(parts) > 1) or not fnmatchcase(parts[0], head):
        return False
    return not rest or _matches(parts[1:], rest)
