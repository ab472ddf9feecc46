"""The key ``fetch:`` of a dataset's block: where its files can be downloaded."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from iqbench.datasets.layout import BelowRoot

__all__ = ["Download"]

_ID = "{id}"


class Download(BaseModel):
    """An archive, or files that the dataset's list of checksums names.

    Attributes
    ----------
    url
        Of an archive; or, with ``{id}`` in it, of each file.
    to
        Below the data root: the folder that the archive's content becomes; or, with ``{id}``, the
        files, as the list of checksums names them.
    sha256, bytes
        Digest and size of an archive.
    folder
        The folder inside the archive that becomes ``to``, where that is not all of it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
    to: BelowRoot
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    bytes: Annotated[int, Field(ge=1)] | None = None
    folder: BelowRoot | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Download:
        ids = {self.url.count(_ID), self.to.count(_ID)}
        archive = (self.sha256 is not None, self.bytes is not None)
        whole = ids == {0} and all(archive)
        single = ids == {1} and not any((*archive, self.folder))
        if not (whole or single):
            raise ValueError(
                "must be an archive with sha256 and bytes, or files with {id} once in url and to"
            )
        return self

    @property
    def is_archive(self) -> bool:
        """Whether it is one archive, not single files."""
        return self.sha256 is not None

    def address(self, path: str) -> str | None:
        """Return the address of a file by its path below the root; None if it is none of these."""
        before, _, after = self.to.partition(_ID)
        if not (path.startswith(before) and path.endswith(after)):
            return None
        image = path[len(before) : len(path) - len(after)]
        if not image or "/" in image:
            return None
        return self.url.replace(_ID, image)
