"""The common base of layouts of datasets with human opinions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from iqbench.datasets.file_index import FileIndex, join
from iqbench.datasets.files import natural_key
from iqbench.datasets.layout import BelowRoot, Layout
from iqbench.datasets.sample import Sample

__all__ = ["RatedLayout"]


class RatedLayout(Layout):
    """Images and opinions below one folder.

    A layout of this kind defines what every layout does, but :attr:`landmark` and :meth:`read`
    in place of :meth:`samples`.

    Attributes
    ----------
    folder
        Holds the whole dataset, below the data root.
    may_have_unrated
        Whether images without an opinion may lie there; they are left out. Else each layout
        refuses them where it can tell them from others' files.
    """

    may_have_unrated: ClassVar[bool] = False

    folder: BelowRoot

    @property
    @abstractmethod
    def landmark(self) -> str:
        """A file of opinions that every copy of the dataset has, below its folder."""

    @abstractmethod
    def read(self, tree: FileIndex) -> list[Sample]:
        """List the references, each with its distorted images.

        Parameters
        ----------
        tree
            The files of the dataset's folder; the landmark is there.

        Raises
        ------
        IqbenchError
            If files and opinions do not fit together; names the first few.
        """

    def samples(self, root: Path | None) -> list[Sample]:
        """List the references, each with its distorted images.

        Raises
        ------
        MissingDataError
            If the folder is not there.
        IqbenchError
            If files and opinions do not fit together; names the first few.
        """
        return self.read(FileIndex.of(root, self.folder, self.landmark))

    def places(self) -> tuple[str, ...]:
        """Name the folder, and the file of opinions, which shows how deep the folder lies."""
        return self.folder, join(self.folder, self.landmark)

    def ignored(self, root: Path | None, samples: Sequence[Sample]) -> list[str]:
        """Name the images that nobody judged."""
        if not self.may_have_unrated:
            return []
        tree = FileIndex.of(root, self.folder, self.landmark)
        sources = [sample.reference for sample in samples if sample.reference]
        sources += [output.source for sample in samples for output in sample.outputs]
        known = {source.name for source in sources}
        unrated = [name for name in tree.images(".") if str(tree.path(name)) not in known]
        return sorted(unrated, key=natural_key)
