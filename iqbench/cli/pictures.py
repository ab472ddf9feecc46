"""Options that say where the pictures behind the tables lie, for commands that show them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from iqbench.engine.run import Reporter
    from iqbench.report.html.where import Folders

__all__ = ["file_bytes", "picture_folders", "picture_options", "told"]

_Command = TypeVar("_Command", bound=Callable[..., Any])

_FOLDER = click.Path(path_type=Path)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?)b?", re.IGNORECASE)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}

_OPTIONS = (
    click.option(
        "--outputs",
        multiple=True,
        metavar="[METHOD=]DIR",
        help="Folder of a method's outputs. May be repeated.",
    ),
    click.option(
        "--outputs-in", type=_FOLDER, metavar="DIR", help="Every sub-folder has a method's outputs."
    ),
    click.option(
        "--reference",
        "references",
        multiple=True,
        metavar="[DATASET=]DIR",
        help="Folder of a dataset's references, where the datasets file does not say. May be "
        "repeated.",
    ),
    click.option(
        "--output-name", metavar="TEMPLATE", help="How outputs are named, e.g. '{id}_x4'."
    ),
    click.option(
        "--datasets-file", type=_FOLDER, metavar="FILE", help="Instead of ./datasets.yaml."
    ),
    click.option("--no-pictures", is_flag=True, help="Show none."),
    click.option(
        "--max-size",
        default="20M",
        show_default=True,
        metavar="SIZE",
        help="Largest the file may get; what does not fit is left out, and named.",
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
        If it is no size.
    """
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise click.BadParameter(f"{text!r} is no size; write 20M or 500k", param_hint="--max-size")
    return int(float(match[1]) * _UNITS[match[2].lower()])


def picture_folders(results: Iterable[Path], options: dict[str, Any]) -> list[Folders]:
    """Take the options above out of a command's, and say where to look for pictures.

    That is where the options say, where the commands that wrote the tables were told to look, and
    in ``outputs`` beside the tables, as the demo leaves them. Whatever is found there is shown
    only if its digest is that of the file that was scored.

    Parameters
    ----------
    results
        Results folders.
    options
        The command's.

    Raises
    ------
    IqbenchError
        If a folder that an option names is not there.
    """
    from iqbench.report.html.where import Folders

    none = options.pop("no_pictures")
    said = Folders(
        **{
            name: options.pop(name)
            for name in ("outputs", "outputs_in", "references", "output_name", "datasets_file")
        }
    )
    said.check()
    if none:
        return []
    places = [said]
    for folder in results:
        if (folder / "outputs").is_dir():
            places.append(Folders(outputs_in=folder / "outputs"))
        places += _recorded(folder)
    return [place for place in places if _usable(place)]


def _recorded(results: Path) -> Iterator[Folders]:
    """Read the folders out of the command lines that the tables record."""
    from iqbench.cli.evaluate import evaluate
    from iqbench.report.html.where import Folders
    from iqbench.results.read import load_runs

    for command in dict.fromkeys(run.command for run in reversed(load_runs(results))):
        with suppress(ValueError, click.ClickException):
            words = [word for word in shlex.split(command)[1:] if word != "--debug"]
            if words[:1] != ["evaluate"]:
                continue
            told_ = evaluate.make_context("evaluate", words[1:], resilient_parsing=True).params
            name, reference = told_.get("dataset_name"), told_.get("reference")
            references = [f"{name}={reference}" if name else str(reference)] if reference else []
            folders = [*(told_.get("methods") or ()), *references, told_.get("methods_in") or ""]
            # Tables may come from others: no name in them makes this machine ask another one.
            if any(re.match(r"([^=]*=)?[\\/]{2}", str(folder)) for folder in folders):
                continue
            yield Folders(
                outputs=[one for one in told_.get("methods") or () if _there(one)],
                outputs_in=told_.get("methods_in"),
                references=references,
                output_name=told_.get("output_name"),
                datasets_file=told_.get("datasets_file"),
            )


def _there(method: str) -> bool:
    return Path(method).is_dir() or Path(method.partition("=")[2]).is_dir()


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
