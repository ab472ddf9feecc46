"""Options that several commands share, so that they have the same names and help texts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from iqbench.errors import IqbenchError
from iqbench.user_files import expand_user

__all__ = [
    "PLACE",
    "GivenPath",
    "ResultsFolder",
    "assignments",
    "changed_results_argument",
    "columns_option",
    "composite_option",
    "filter_options",
    "format_of",
    "format_option",
    "front_columns",
    "front_option",
    "gray_output_option",
    "inputs_stay",
    "naming_options",
    "output_option",
    "peak_option",
    "results_argument",
    "results_copies",
    "shown_columns",
    "side_argument",
    "single_option",
    "suffix_format",
    "wanted",
]


class GivenPath(click.Path):
    """A path in the command line, which may begin with ``~`` and may not be empty.

    Shells leave the tilde of ``--results=~/scores`` as it is. An empty path is that of a variable
    that is not set; it would be the working folder.
    """

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        """Return the path, with the home folder in the place of its tilde."""
        text = os.fspath(value)
        if not text:
            self.fail("the path is empty; write . for the working folder", param, ctx)
        return super().convert(os.fspath(expand_user(text)) if text[0] == "~" else text, param, ctx)


PLACE = GivenPath(path_type=str)
"""A folder that may also be an archive, or an address, in which two slashes are not one."""

_Command = TypeVar("_Command", bound=Callable[..., Any])

_FILTERS = {
    "dataset": "Only this dataset.",
    "protocol": "Only scores under this protocol.",
    "precision": "Only scores of this precision, and those that do not depend on it.",
    "metric": "Only this metric, or one column of it: psnr[protocol=sr-y:scale=4].",
    "method": "Only this method.",
}

_SUFFIXES = {
    ".md": "markdown",
    ".csv": "csv",
    ".json": "json",
    ".tex": "latex",
    ".html": "html",
    ".doc": "word",
}

_DOCUMENT_FORMATS = (
    *("table", "markdown", "csv", "spreadsheet", "json"),
    *("latex", "html", "word"),
)
"""The formats of `iqbench.document.render`, which is slow to import."""


def single_option(
    *names: str, twice: str = "", **attributes: Any
) -> Callable[[_Command], _Command]:
    """Add an option that may be given once; a second value would silently replace the first.

    Parameters
    ----------
    names
        As click takes them.
    twice
        What to do instead of giving it twice.
    attributes
        As click takes them, but for ``default``, which is None.
    """

    def one(ctx: click.Context, param: click.Parameter, values: tuple[Any, ...]) -> Any:
        if len(values) > 1:
            given = " and ".join(repr(str(value)) for value in values)
            raise click.BadParameter(
                f"it is given {len(values)} times: {given}. {twice or 'Give it once'}", ctx, param
            )
        return values[0] if values else None

    return click.option(*names, multiple=True, callback=one, **attributes)


class ResultsFolder(GivenPath):
    """A results folder that is read; at an address (``s3://bucket/results``), a copy of it.

    Parameters
    ----------
    changed
        Whether the command changes the whole folder, which it cannot do at an address.
    file_okay
        Whether a file may be named too, such as a baseline in text.
    """

    def __init__(self, *, changed: bool = False, file_okay: bool = False) -> None:
        super().__init__(file_okay=file_okay, path_type=Path)
        self._changed = changed

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        """Return the folder, or the address; `results_copies` makes a copy of the latter."""
        from iqbench.blobs.remote import is_url, without_file_protocol

        text = without_file_protocol(os.fspath(value))
        if not is_url(text):
            return super().convert(text, param, ctx)
        if self._changed:
            self.fail(
                "results at an address are not changed as a whole: copy the folder to this "
                "machine, change that, and put it back",
                param,
                ctx,
            )
        return value


def results_copies(*names: str) -> Callable[[_Command], _Command]:
    """Give a command copies of what is at addresses, when it is called.

    Parameters
    ----------
    names
        Of the command's parameters of the type `ResultsFolder`.
    """

    def decorate(command: _Command) -> _Command:
        @wraps(command)
        def with_copies(*arguments: Any, **options: Any) -> Any:
            from iqbench.results.mirror import addresses_in_errors, local_results

            for name in names:
                value = options[name]
                if isinstance(value, tuple):
                    options[name] = tuple(map(local_results, value))
                elif value is not None:
                    options[name] = local_results(value)
            with addresses_in_errors():
                return command(*arguments, **options)

        return cast("_Command", with_copies)

    return decorate


def results_argument(command: _Command) -> _Command:
    """Add the argument RESULTS, a results folder; passed as ``results``."""
    with_copy = results_copies("results")(command)
    return click.argument("results", default="results", type=ResultsFolder())(with_copy)


def changed_results_argument(command: _Command) -> _Command:
    """Add the argument RESULTS, a results folder on this machine that is changed as a whole."""
    return click.argument("results", default="results", type=ResultsFolder(changed=True))(command)


def side_argument(command: _Command) -> _Command:
    """Add the argument RESULTS, a results folder or a baseline in text; passed as ``results``."""
    with_copy = results_copies("results")(command)
    return click.argument("results", default="results", type=ResultsFolder(file_okay=True))(
        with_copy
    )


def filter_options(command: _Command) -> _Command:
    """Add the filters of values: --dataset, --protocol, --precision, --metric, --method."""
    return _with_filters(command, _FILTERS)


def place_options(command: _Command) -> _Command:
    """Add the filters of images: --dataset, --method."""
    return _with_filters(command, ("dataset", "method"))


def _with_filters(command: _Command, names: Iterable[str]) -> _Command:
    for name in reversed(list(names)):
        command = click.option(
            f"--{name}", multiple=True, metavar="NAME", help=f"{_FILTERS[name]} May be repeated."
        )(command)
    return command


ONE_TEMPLATE = "A template of one method alone follows its folder, e.g. --method 'NAME=DIR/{id}_x4'"
"""What to do if several templates of outputs' names are needed."""


def naming_options(command: _Command) -> _Command:
    """Add --reference-name, --output-name and --match: which output is a reference's."""
    for option in (
        click.option(
            "--match",
            multiple=True,
            metavar="WAYS",
            help="Also pair names that differ in: case (IMG is img), numbers (0001 is 1), "
            "flat (s1/sharp/1 is s1_1), or in several ways: case,numbers.",
        ),
        single_option(
            "--output-name",
            metavar="TEMPLATE",
            twice=ONE_TEMPLATE,
            help="How outputs are named, e.g. '{id}_x4'; {id} is the path of the reference "
            "without its suffix, or without references the name of the image.",
        ),
        single_option(
            "--reference-name",
            metavar="TEMPLATE",
            help="How references are named, e.g. '{id}_GT' or '{scene}/sharp/{frame}'; default: "
            "'{id}'.",
        ),
    ):
        command = option(command)
    return command


def peak_option(command: _Command) -> _Command:
    """Add --peak; None where it is not given."""
    return click.option(
        "--peak",
        type=click.IntRange(1, 65535),
        metavar="N",
        help="Sample value of white, e.g. 4095 for 12 bits in files of 16; default: as the files "
        "say.",
    )(command)


GRAY_OUTPUT = (
    "How to read gray outputs of colour references under a protocol that compares luma: refuse "
    "them, read their values as luma, or as three equal channels."
)


def gray_output_option(text: str = GRAY_OUTPUT) -> Callable[[_Command], _Command]:
    """Add --gray-output; passed as ``gray_output``."""
    return click.option(
        "--gray-output",
        type=click.Choice(["error", "luma", "expand"]),
        default="error",
        show_default=True,
        help=text,
    )


def columns_option(text: str) -> Callable[[_Command], _Command]:
    """Add --columns; see `shown_columns`."""
    return click.option("--columns", metavar="headline|all|NAME,...", help=text)


def shown_columns(columns: str | None, otherwise: str) -> str | tuple[str, ...]:
    """Read --columns: ``headline``, ``all``, or selectors of columns in their order."""
    from iqbench.results.selector import split_selectors

    if columns is None or columns in ("headline", "all"):
        return columns or otherwise
    return tuple(split_selectors(columns))


def front_option(command: _Command) -> _Command:
    """Add --front; see `front_columns`."""
    return click.option(
        "--front",
        metavar="METRIC,METRIC",
        help="The fidelity metric and the perceptual metric of the Pareto front; by default psnr "
        "(or ssim) and lpips.",
    )(command)


def composite_option(command: _Command) -> _Command:
    """Add --composite."""
    return click.option(
        "--composite",
        "composites",
        multiple=True,
        metavar="SCORE",
        help="A score computed from the means of columns: NAME = FORMULA, with columns in quotes; "
        "a file of such lines; or ntire-perceptual, ntire-face, ntire-infrared. May be "
        "repeated.",
    )(command)


def front_columns(front: str | None) -> tuple[str, str] | None:
    """Read --front: two selectors."""
    from iqbench.results.selector import split_selectors

    if front is None:
        return None
    names = split_selectors(front)
    if len(names) != 2:
        raise click.BadParameter(
            "two metrics are needed, as in psnr,lpips-vgg", param_hint="--front"
        )
    return names[0], names[1]


def wanted(options: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Take the filters out of a command's options, in the form that `load_scores` reads."""
    return {name: values for name in _FILTERS if (values := options[name])}


def suffix_format(output: Path | None) -> str | None:
    """Say which format the suffix of an output file means; None where it means none."""
    return _SUFFIXES.get(output.suffix.lower()) if output else None


def format_of(output: Path | None) -> str:
    """Say which format the suffix of an output file means; a table where it means none."""
    return suffix_format(output) or "table"


def assignments(texts: tuple[str, ...], option: str) -> dict[str, str]:
    """Read ``NAME=VALUE`` of an option that may be repeated; a name may be a selector."""
    from iqbench.results.selector import split_assignment

    found = {}
    for text in texts:
        name, value = split_assignment(text)
        if not (name and value):
            raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint=option)
        found[name] = value
    return found


def format_option(*formats: str, more: Sequence[str] = ()) -> Callable[[_Command], _Command]:
    """Add --format; None where it is not given.

    Parameters
    ----------
    formats
        By default those of documents.
    more
        Formats beside these.
    """
    return click.option(
        "--format",
        "format",
        type=click.Choice([*(formats or _DOCUMENT_FORMATS), *more]),
        help="Format of the result; by default that of the suffix of -o, or a table. spreadsheet "
        "is csv in which names that look like formulas begin with an apostrophe.",
    )


def output_option(
    text: str = "Write to this file instead of printing.",
    *,
    name: str = "output",
    required: bool = False,
) -> Callable[[_Command], _Command]:
    """Add -o FILE; passed as ``output``, or under another name."""
    option = click.option(
        *("-o", "--output", name),
        metavar="FILE",
        required=required,
        type=GivenPath(dir_okay=False, path_type=Path),
        help=text,
    )
    return lambda command: option(inputs_stay(name)(command))


def inputs_stay(name: str) -> Callable[[_Command], _Command]:
    """Refuse, before a command runs, to write its output over a file that another parameter names.

    Parameters
    ----------
    name
        Of the parameter with the file to write.
    """

    def decorate(command: _Command) -> _Command:
        @wraps(command)
        def checked(*arguments: Any, **options: Any) -> Any:
            target = options[name]
            context = click.get_current_context()
            for parameter in context.command.params if target and target.is_file() else ():
                if parameter.name != name and isinstance(parameter.type, click.Path):
                    given = context.params.get(parameter.name or "")
                    for value in given if isinstance(given, tuple) else (given,):
                        if value and Path(value).is_file() and target.samefile(value):
                            where = parameter.opts[0]
                            if isinstance(parameter, click.Argument):
                                where = where.upper()
                            raise IqbenchError(
                                f"{target} is given as {where} too, and would be written over",
                                hint="Write to another file",
                            )
            return command(*arguments, **options)

        return cast("_Command", checked)

    return decorate
