"""Templates of output names: what a method calls the file that belongs to an image."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath
from string import Formatter
from typing import NamedTuple

from iqbench.datasets.files import is_image_name, split_suffix
from iqbench.errors import IqbenchError

__all__ = ["OutputName"]


class OutputName(NamedTuple):
    """A template such as ``{id}_x4``, taken apart.

    Attributes
    ----------
    before, after
        What stands before and after the image's id, without a suffix.
    suffix
        The suffix the file must have (``.png``), or ``""`` where any image will do.
    """

    before: str
    after: str
    suffix: str

    @classmethod
    def parse(cls, template: str) -> OutputName:
        """Take a template apart.

        Parameters
        ----------
        template
            Text with one ``{id}``; ``{{`` and ``}}`` stand for braces. If it ends in the suffix of
            an image, only such files belong to the image.

        Raises
        ------
        IqbenchError
            If the braces do not fit, if it has anything but one ``{id}`` in braces, or if the
            outputs would lie outside the method's folder.
        """
        texts = ["", ""]
        ids = 0
        try:
            for text, field, form, conversion in Formatter().parse(template):
                texts[min(ids, 1)] += text
                if field is not None:
                    ids += 1
                    if field != "id" or form or conversion:
                        raise ValueError
        except ValueError:
            ids = 0
        if ids != 1:
            raise IqbenchError(
                f"output name {template!r} must hold {{id}} once and no other placeholder",
                hint="For example '{id}_x4', which finds img_001_x4.png for the image img_001",
            )
        before, after = texts
        paths = PurePosixPath(before + "id" + after), PureWindowsPath(before + "id" + after)
        if any(path.anchor or ".." in path.parts for path in paths) or "\0" in template:
            raise IqbenchError(
                f"output name {template!r} leads out of the method's folder",
                hint="Give a name below it, without '..'",
            )
        suffix = ""
        if is_image_name(f"id{after}"):
            after, suffix = split_suffix(f"id{after}")
            after = after.removeprefix("id")
        return cls(before, after, suffix)

    def stem(self, image: str) -> str:
        """Path of an image's output below the method's folder, without suffix."""
        return f"{self.before}{image}{self.after}"
