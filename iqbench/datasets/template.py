"""Templates of names: from a reference's file to the image's id, and from the id to an output."""

from __future__ import annotations

import re
from pathlib import PurePosixPath, PureWindowsPath
from string import Formatter
from typing import NamedTuple

from iqbench.datasets.files import is_image_name, split_suffix
from iqbench.errors import IqbenchError

__all__ = ["OutputName", "ReferenceName", "escape"]


def escape(text: str) -> str:
    """Write text so that it stands for itself in a template."""
    return text.replace("{", "{{").replace("}", "}}")


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

    @property
    def text(self) -> str:
        """The template as it is written."""
        return f"{escape(self.before)}{{id}}{escape(self.after)}{self.suffix}"

    def stem(self, image: str) -> str:
        """Path of an image's output below the method's folder, without suffix."""
        return f"{self.before}{image}{self.after}"


class ReferenceName(NamedTuple):
    """A template such as ``{scene}/sharp/{frame}``, which takes the id out of a reference's path.

    Attributes
    ----------
    template
        As it was written.
    pattern
        What a path without suffix must match.
    """

    template: str
    pattern: re.Pattern[str]

    @classmethod
    def parse(cls, template: str) -> ReferenceName:
        """Take a template apart.

        Parameters
        ----------
        template
            Text with at least one name in braces. A single one, ``norain-{id}``, stands for
            anything, sub-folders included; of several, each stands for a part of one name.

        Raises
        ------
        IqbenchError
            If the braces do not fit or there is no name in them.
        """
        parts: list[str] = []
        names = 0
        try:
            for text, field, form, conversion in Formatter().parse(template):
                parts.append(re.escape(text))
                if field is not None:
                    if not field.isidentifier() or form or conversion:
                        raise ValueError
                    names += 1
                    parts.append("(?)")
        except ValueError:
            names = 0
        if not names:
            raise IqbenchError(
                f"id template {template!r} must hold a name in braces",
                hint="For example 'norain-{id}' or '{scene}/sharp/{frame}'",
            )
        group = "(.+)" if names == 1 else "([^/]+)"
        pattern = "".join(group if part == "(?)" else part for part in parts)
        return cls(template, re.compile(pattern, re.DOTALL))

    def image(self, stem: str) -> str | None:
        """Return the id of a reference by its path without suffix; None where it does not fit."""
        found = self.pattern.fullmatch(stem)
        return "/".join(found.groups()) if found else None
