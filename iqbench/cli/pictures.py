"""Options for finding the image files behind the tables, for commands that show them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from iqbench.cli.options import PLACE, GivenPath, single_option

if TYPE_CHECKING:
    from iqbench.engine.reporter import Reporter
    from iqbench.page.find_pictures import Folders
    from iqbench.page.recorded import RecordedPlaces
    from iqbench.results.opened import OpenedResults

__all__ = ["file_bytes", "picture_folders", "picture_options", "told"]

_Command = TypeVar("_Command", bound=Callable[..., Any])

_FOLDER = GivenPath(path_type=Path)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?)b?", re.IGNORECASE)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}

_OPTIONS = (
    click.option(
        "--outputs",
        multiple=True,
        metavar="[METHOD=]DIR[/TEMPLATE]",
        help="Folder of a method's outputs. TEMPLATE is used instead of --output-name: "
        "nlm=out/nlm/{id}_x4. May be repeated.",
    ),
    click.option(
        "--outputs-in", type=PLACE, metavar="DIR", help="Every sub-folder has a method's outputs."
    ),
    click.option(
        "--reference",
        "references",
        multiple=True,
        metavar="[DATASET=]DIR",
        help="Folder of a dataset's references, if the datasets file does not name it. May be "
        "repeated.",
    ),
    single_option(
        "--output-name",
        metavar="TEMPLATE",
        twice="A template of one method alone follows its folder, e.g. "
        "--outputs 'NAME=DIR/{id}_x4'",
        help="How outputs are named, e.g. '{id}_x4'.",
    ),
    click.option(
        "--datasets-file",
        type=_FOLDER,
        metavar="FILE",
        help="Datasets file, instead of ./datasets.yaml.",
    ),
    click.option("--no-pictures", is_flag=True, help="Show no pictures."),
    click.option(
        "--no-recorded-pictures",
        is_flag=True,
        help="Do not look for files at the paths in the tables.",
    ),
    click.option(
        "--max-size",
        default="20M",
        show_default=True,
        metavar="SIZE",
        help="Maximum size of the file. Pictures that do not fit are left out, and the page names "
        "them.",
    ),
)


def picture_options(command: _Command) -> _Command:
    """Add --outputs, --outputs-in, --reference, --output-name, --datasets-file and the like."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def file_bytes(text: str) -> int:
    """Read the size of a file such as ``20M``; units are powers of 1000.

    Raises
    ------
    click.BadParameter
        If it is not a size.
    """
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise click.BadParameter(
            f"{text!r} is not a size; write 20M or 500k", param_hint="--max-size"
        )
    return int(float(match[1]) * _UNITS[match[2].lower()])


def picture_folders(
    results: Sequence[OpenedResults], options: dict[str, Any]
) -> tuple[list[Folders], RecordedPlaces | None]:
    """Take the options above out of a command's, and say where to look for pictures.

    That is where the options say, in ``outputs`` beside the tables, as the demo leaves them, and,
    file by file, where the tables say that files were. Whatever is found there is shown only if
    its digest is that of the file that was scored.

    Parameters
    ----------
    results
        Results folders that are open.
    options
        The command's.

    Raises
    ------
    IqbenchError
        If a folder that an option names is not there.
    """
    from iqbench.page.find_pictures import Folders
    from iqbench.page.recorded import recorded_places

    none, unrecorded = options.pop("no_pictures"), options.pop("no_recorded_pictures")
    said = Folders(
        **{
            name: options.pop(name)
            for name in ("outputs", "outputs_in", "references", "output_name", "datasets_file")
        }
    )
    said.check()
    if none:
        return [], None
    places = [said]
    for folder in results:
        beside = folder.path / "outputs"
        if beside.is_dir() and not beside.is_symlink():
            places.append(Folders(outputs_in=beside))
    recorded = None if unrecorded else recorded_places(results)
    return [place for place in places if _usable(place)], recorded


def _usable(place: Folders) -> bool:
    """Say whether a place is still there; one that an option names was checked before."""
    from iqbench.errors import IqbenchError

    try:
        _ = place.methods
    except IqbenchError:
        return False
    return True


def told(bar: Reporter) -> Callable[[str, int, int], None]:
    """Pass on to a bar what is being done, how much of it is done, and how much there is."""
    now = ""

    def progress(what: str, done: int, total: int) -> None:
        nonlocal now
        if what != now:
            now = what
            bar.begin(what, total)
        elif done:
            bar.advance(1)

    return progress
