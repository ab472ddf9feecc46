"""The layout of a paper's table: names, order, caption and decimals, also from a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from iqbench.errors import IqbenchError
from iqbench.user_files import expand_user, why_no_file
from iqbench.yaml_file import kind_of, read_yaml, validated

__all__ = ["TableLayout", "read_table_layout"]

_Name = Annotated[str, Field(min_length=1, max_length=400)]
_Decimals = Annotated[int, Field(ge=0, le=12, strict=True)]
_Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9:_.+/-]*$", max_length=200)]


class TableLayout(BaseModel):
    """The contents and the layout of a paper's table.

    Attributes
    ----------
    caption, label
        Caption and LaTeX label of the table; the label is ``tab:scores`` by default.
    methods
        Rows, in this order; methods that are not named are left out. By default all.
    order
        Rows that come first, in this order; the others follow by their average rank.
    datasets
        Groups of columns, in this order; by default all, in natural order.
    columns
        Selectors of the columns of each group, in this order, see `iqbench.results.selector`; by
        default the headline ones.
    names
        The shown names of methods, datasets and columns, by method, dataset or selector.
    decimals
        Digits after the decimal point: one number for all, or by selector.
    cite
        BibTeX keys by method, for LaTeX.
    arrows
        Whether headings have arrows.
    wide
        Whether the LaTeX table spans both columns of a page.
    size
        The font size in LaTeX: ``small``, ``footnotesize``, ``scriptsize`` or ``tiny``.
    any_protocol
        Whether to compare published and imported values with the others even if their protocol is
        another one or not stated. By default they are compared only if it is the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    caption: Annotated[str, Field(max_length=4000)] = ""
    label: Annotated[str, Field(pattern=r"^[A-Za-z0-9:_.+-]*$", max_length=200)] = ""
    methods: tuple[_Name, ...] = ()
    order: tuple[_Name, ...] = ()
    datasets: tuple[_Name, ...] = ()
    columns: tuple[_Name, ...] = ()
    names: dict[_Name, _Name] = Field(default_factory=dict)
    decimals: _Decimals | dict[_Name, _Decimals] | None = None
    cite: dict[_Name, _Key] = Field(default_factory=dict)
    arrows: bool = True
    wide: bool = False
    size: Literal["", "small", "footnotesize", "scriptsize", "tiny"] = ""
    any_protocol: bool = False

    @field_validator("caption")
    @classmethod
    def _one_line(cls, text: str) -> str:
        """Join the lines of a caption."""
        return " ".join(text.split())

    def filters(self, given: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """Add the methods and datasets of the table to filters that do not select any.

        The row of published means of ``edsr`` is named ``edsr (published)``.
        """
        methods = dict.fromkeys(name.removesuffix(" (published)") for name in self.methods)
        own = {"method": tuple(methods), "dataset": self.datasets}
        return {**{key: names for key, names in own.items() if names}, **given}


def read_table_layout(path: Path | None, options: Mapping[str, Any] | None = None) -> TableLayout:
    """Read the layout of a table.

    Parameters
    ----------
    path
        A YAML file whose keys are the fields of `TableLayout`; None for the default layout.
    options
        Fields that override those of the file.

    Raises
    ------
    IqbenchError
        If the file cannot be read, or a value is wrong. The error names the file and the key.
    """
    content: dict[str, Any] = {}
    if path is not None:
        path = expand_user(path)
        if why := why_no_file(path):
            raise IqbenchError(f"table file {path} {why}")
        read = read_yaml(path)
        if not isinstance(read, dict):
            raise IqbenchError(
                f"{path} must hold keys with values, not {kind_of(read)}",
                hint=f"Its keys are {', '.join(TableLayout.model_fields)}",
            )
        content = {str(key): value for key, value in read.items()}
        validated(TableLayout, content, f"{path}")
    return validated(TableLayout, {**content, **(options or {})}, "layout of the table")
