"""Outputs without references: a dataset of all images of the methods, matched by name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Literal

from iqbench.datasets.dataset import Dataset, DatasetSpec, check_dataset_name
from iqbench.datasets.files import (
    composed,
    is_image_name,
    natural_key,
    spell_name,
    split_suffix,
    walk,
)
from iqbench.datasets.layout import Layout
from iqbench.datasets.matching.bitstreams import FOLDER as BITSTREAMS
from iqbench.datasets.matching.comparison import pair_names
from iqbench.datasets.matching.methods import Method
from iqbench.datasets.sample import Sample
from iqbench.datasets.storage.paths import Place
from iqbench.datasets.template import OutputName
from iqbench.errors import IqbenchError

__all__ = ["OUTPUTS", "dataset_of_outputs", "outputs_alone"]

OUTPUTS = "outputs"
"""Name of a dataset without references where the user gives none."""


class _OutputsLayout(Layout):
    """The images are those that the methods of a run have; no block can ask for it."""

    layout: Literal["outputs"] = "outputs"

    def samples(self, root: Path | None) -> list[Sample]:
        """Give none: methods, not a folder of data, say which images there are."""
        del root
        return []


def outputs_alone(
    methods: Sequence[Method],
    name: str | None = None,
    output_name: str | None = None,
    ways: Collection[str] = (),
) -> Dataset:
    """Take the images of some methods as a dataset without references.

    Parameters
    ----------
    methods
        Their outputs lie in the sub-folder that is named as the dataset, or in the folder itself.
    name
        The dataset's name; ``outputs`` if not given.
    output_name
        Template of the outputs' names; where the id is in them. A method's own comes before it.
    ways
        How names are compared that no other method spells alike; see
        `iqbench.datasets.matching.comparison.WAYS`.

    Returns
    -------
    Dataset
        One sample for each id that any method has, in natural order.

    Raises
    ------
    IqbenchError
        If the name or template is not allowed, a folder cannot be listed, or no method has images.
    """
    name = check_dataset_name(OUTPUTS if name is None else name)
    images: dict[str, None] = {}
    folders: list[Place] = []
    for method in methods:
        if method.problem:
            continue
        names = (method.output_name, output_name, "{id}")
        template = OutputName.parse(next(name for name in names if name is not None))
        own = method.folder / name
        folders.append(own if own.is_dir() else method.folder)
        found = dict(_ids(folders[-1], template))
        accented = (image for image in images if not image.isascii())
        spelled = {composed(image) for image in accented if image not in found}
        new = [
            file
            for image, file in found.items()
            if image not in images and composed(image) not in spelled
        ]
        lost = {image: template.stem(image) for image in images if image not in found}
        same = pair_names(lost, new, ways).used if ways and lost and new else set()
        fresh = set(new) - same
        images |= {image: None for image, file in found.items() if file in fresh}
    if not images:
        raise IqbenchError(
            f"no output was found in {', '.join(map(str, folders)) or 'any method'}",
            hint="Put images there, or check --output-name; images are PNG, JPEG, BMP, TIFF, WebP",
        )
    return dataset_of_outputs(name, images)


def dataset_of_outputs(name: str, images: Collection[str]) -> Dataset:
    """Return a dataset of images, by id, that have no references."""
    spec = DatasetSpec(name=name, data=_OutputsLayout())
    return Dataset(name, spec, [Sample(image, None) for image in sorted(images, key=natural_key)])


def _ids(folder: Place, template: OutputName) -> Iterator[tuple[str, str]]:
    """Give the id and the file of every image below a folder that fits the template."""
    for file in sorted(walk(folder), key=natural_key):
        stem, suffix = split_suffix(spell_name(file))
        wanted = is_image_name(file) and suffix.lower().endswith(template.suffix.lower())
        framed = stem.startswith(template.before) and stem.endswith(template.after)
        image = stem[len(template.before) : len(stem) - len(template.after)]
        if wanted and framed and image and not file.startswith(f"{BITSTREAMS}/"):
            yield image, file
