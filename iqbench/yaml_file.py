"""Read a YAML file of settings: plain data only, every key once, errors with file and line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from iqbench.errors import IqbenchError, unknown_name
from iqbench.user_files import open_regular

__all__ = ["found_in_working_folder", "kind_of", "parse_yaml", "read_yaml", "validated"]

_Model = TypeVar("_Model", bound=BaseModel)

MOST_VALUES = 1_000_000
"""What aliases stand for counts as often as it is named: ten lines of them can name billions."""


def read_yaml(path: Path) -> object:
    """Read plain data from a YAML file.

    Raises
    ------
    IqbenchError
        If the file cannot be read, is not UTF-8 or not YAML, asks for anything but plain data, has
        one key twice, a value that holds itself, or aliases that stand for millions of values; the
        sentence names the file and, where there is one, the line.
    """
    try:
        with open_regular(path) as file:
            text = file.read().decode()
    except OSError as error:
        raise IqbenchError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise IqbenchError(f"{path} is not UTF-8 text") from error
    return parse_yaml(path, text)


def parse_yaml(path: Path, text: str, *, numbers_as_text: bool = False) -> object:
    """Read plain data from YAML text.

    Parameters
    ----------
    path
        The file, for errors.
    text
        Its content.
    numbers_as_text
        Whether numbers, dates and truth values stay the text that is written.

    Raises
    ------
    IqbenchError
        As `read_yaml`.
    """
    try:
        loader = (yaml.BaseLoader if numbers_as_text else yaml.SafeLoader)(text)
        root = loader.get_single_node()
        _refuse_bombs(path, root)
        _refuse_duplicates(path, root)
        return None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        what = error.problem or error.context
        raise IqbenchError(f"{path}{line}: this is not valid YAML: {what}") from error
    except (yaml.YAMLError, ValueError) as error:
        # ValueError: a date or number that has the form of one and is none, such as 2024-13-01.
        what = str(error).splitlines()[0]
        raise IqbenchError(f"{path}: this is not valid YAML: {what}") from error
    except RecursionError as error:
        raise IqbenchError(f"{path}: this YAML is nested too deeply") from error


@contextmanager
def found_in_working_folder(path: Path, otherwise: str) -> Iterator[None]:
    """Say of a file that nobody named where it lies, where something is wrong with it.

    Parameters
    ----------
    path
        The file, which was read because the working folder has it.
    otherwise
        How another file is named instead.

    Raises
    ------
    IqbenchError
        In place of what is raised inside.
    """
    try:
        yield
    except IqbenchError as error:
        hint = f"{error.hint.rstrip('.')}. " if error.hint else ""
        raise IqbenchError(
            error.message,
            hint=f"{hint}{path.absolute()} was read because it lies in the working folder. If it "
            f"belongs to another program, {otherwise}",
        ) from error


def kind_of(value: object) -> str:
    """Say what a value is, for messages; short, whatever it holds."""
    known = {type(None): "empty", list: "a list", str: "text", dict: "keys with values"}
    return known.get(type(value)) or f"{value!r:.60}"


def validated(model: type[_Model], content: dict[str, Any], where: str) -> _Model:
    """Make a model of a block.

    Parameters
    ----------
    model
        What a block has to be.
    content
        The block.
    where
        The file and the block, for the error.

    Raises
    ------
    IqbenchError
        Naming the key that is wrong.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
    # A misspelt key is also a missing one; the misspelling is what helps.
    problem = min(problems, key=lambda found: found["type"] != "extra_forbidden")
    # Where a value may be of several types, each has a problem; the innermost says most.
    alike = [found for found in problems if found["loc"][:1] == problem["loc"][:1]]
    if problem["type"] not in ("extra_forbidden", "missing"):
        problem = max(alike, key=lambda found: len(_keys(found["loc"], content)))
        key = ".".join(_keys(problem["loc"], content))
    else:
        key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        unknown = unknown_name("key", key, model.model_fields)
        raise IqbenchError(f"{where}: {unknown.message}", hint=unknown.hint)
    if problem["type"] == "missing":
        raise IqbenchError(f"{where}: key {key!r} is missing")
    own = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    what = _KINDS.get(problem["type"], own)
    raise IqbenchError(f"{where}: key {key!r}: {what}")


_KINDS = {
    "tuple_type": "should be a list",
    "list_type": "should be a list",
    "dict_type": "should be keys with values",
}


def _keys(place: tuple[int | str, ...], content: Any) -> list[str]:
    """Give the keys of a place that the file has, without the names of types between them."""
    found: list[str] = []
    for part in place:
        own = isinstance(content, dict) and part in content
        if own or (isinstance(content, list) and isinstance(part, int)):
            content = content[part]
            found.append(str(part))
    return found


def _refuse_bombs(path: Path, root: yaml.Node | None) -> None:
    """Refuse what is small in the file and large, or endless, for who walks through it."""
    sizes: dict[int, int | None] = {}  # None while what a node holds is counted

    def size(node: yaml.Node) -> int:
        line = node.start_mark.line + 1
        if id(node) not in sizes:
            sizes[id(node)] = None
            inner = node.value if isinstance(node, yaml.CollectionNode) else []
            if isinstance(node, yaml.MappingNode):
                inner = [one for pair in inner for one in pair]
            sizes[id(node)] = 1 + sum(map(size, inner))
        found = sizes[id(node)]
        if found is None:
            raise IqbenchError(f"{path}, line {line}: this value holds itself")
        if found > MOST_VALUES:
            raise IqbenchError(
                f"{path}, line {line}: this stands for more than {MOST_VALUES:,} values",
                hint="Write what is needed without aliases",
            )
        return found

    if root is not None:
        size(root)


def _refuse_duplicates(path: Path, root: yaml.Node | None) -> None:
    """YAML readers let the last of two equal keys win; half a block would vanish in silence."""
    seen: set[int] = set()
    nodes = [root]
    while nodes:
        node = nodes.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.MappingNode):
            lines: dict[object, int] = {}
            for key, value in node.value:
                nodes += [key, value]
                if not isinstance(key, yaml.ScalarNode):
                    continue  # no key can be a list or a mapping: reading it says so
                line = key.start_mark.line + 1
                identity = (key.tag, key.value)
                if identity in lines:
                    raise IqbenchError(
                        f"{path}, line {line}: key {key.value!r} is there a second time "
                        f"(first in line {lines[identity]})"
                    )
                lines[identity] = line
