"""Read ``datasets.yaml`` and validate its blocks."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from iqbench.blobs.remote import is_url
from iqbench.datasets.dataset import Block, DatasetSpec, check_dataset_name
from iqbench.datasets.layout import DataRoot, Layout, layouts
from iqbench.errors import IqbenchError, unknown_name
from iqbench.user_files import expand_user, why_no_file
from iqbench.yaml_file import found_in_working_folder, kind_of, read_yaml, validated

__all__ = ["DATA_VARIABLE", "PACKAGED_FILE", "find_datasets_file", "load_datasets", "select"]

DATA_VARIABLE = "IQBENCH_DATA"
"""The environment variable that says where data lies; it wins over ``root:`` in the file."""

PACKAGED_FILE = Path(__file__).parents[1] / "datasets.yaml"
"""The datasets that come with iqbench."""


def find_datasets_file(file: Path | None = None) -> Path:
    """Choose the datasets file: the one given, ``./datasets.yaml``, or the packaged one.

    Raises
    ------
    IqbenchError
        If the file given does not exist.
    """
    if file is not None:
        file = expand_user(file)
        if why := why_no_file(file):
            raise IqbenchError(f"datasets file {file} {why}")
        return file
    local = Path("datasets.yaml")
    return local if os.path.lexists(local) else PACKAGED_FILE


def load_datasets(file: Path | None = None) -> dict[str, DatasetSpec]:
    """Read and validate the descriptions of all datasets; no image is looked for.

    Parameters
    ----------
    file
        The datasets file; see :func:`find_datasets_file` where None.

    Returns
    -------
    dict of str to DatasetSpec
        By name, in the file's order.

    Raises
    ------
    IqbenchError
        If the file cannot be read or a block of it is wrong; names the file, the block, the key,
        and says so where the file was read only because it lies in the working folder.
    """
    path = find_datasets_file(file)
    if file is not None or path == PACKAGED_FILE:
        return _load(path)
    with found_in_working_folder(
        path,
        "work in another folder, or name a datasets file: --datasets-file "
        f"{shlex.quote(str(PACKAGED_FILE))} has the built-in datasets",
    ):
        return _load(path)


def _load(path: Path) -> dict[str, DatasetSpec]:
    content = _mapping(_packaged() if path == PACKAGED_FILE else read_yaml(path), f"{path}")
    known = ("root", "datasets")
    for key in content:
        if key not in known:
            error = unknown_name("key", str(key), known)
            hint = error.hint
            if isinstance(content[key], dict) and "data" in content[key]:
                hint = "The blocks of datasets stand below the key 'datasets'"
            raise IqbenchError(f"{path}: {error.message}", hint=hint)
    root = _root(path, content.get("root"))
    blocks = _mapping(content.get("datasets"), f"{path}: 'datasets'")
    return {name: _spec(path, name, block, root) for name, block in blocks.items()}


@cache
def _packaged() -> object:
    """Read the packaged file once; each report and each run with `--dataset` needs it."""
    return read_yaml(PACKAGED_FILE)


def select(specs: Mapping[str, DatasetSpec], names: Iterable[str]) -> list[DatasetSpec]:
    """Choose datasets by name, each once, in the order asked for.

    Raises
    ------
    IqbenchError
        If a name is unknown; says which is near.
    """
    chosen: dict[str, DatasetSpec] = {}
    for name in names:
        if name not in specs:
            raise unknown_name("dataset", name, specs)
        chosen[name] = specs[name]
    return list(chosen.values())


def _root(path: Path, stated: object) -> DataRoot | None:
    variable = os.environ.get(DATA_VARIABLE)
    if variable:
        # Not looked for here: the embedded datasets need no root.
        return variable if is_url(variable) else expand_user(Path(variable))
    if stated is None:
        return None
    if not isinstance(stated, str) or not stated:
        raise IqbenchError(f"{path}: 'root' must be the path of a folder, not {kind_of(stated)}")
    return stated if is_url(stated) else path.parent / expand_user(Path(stated))


def _mapping(content: object, where: str) -> dict[Any, Any]:
    if not isinstance(content, dict):
        raise IqbenchError(f"{where} must be keys with values, not {kind_of(content)}")
    return content


def _spec(path: Path, name: object, block: object, root: DataRoot | None) -> DatasetSpec:
    where = f"{path}: dataset {name!r}"
    if not isinstance(name, str):
        raise IqbenchError(f"{where}: the name is not text", hint=f"Put it in quotes: '{name}'")
    try:
        check_dataset_name(name)
    except IqbenchError as error:
        raise IqbenchError(f"{path}: {error.message}", hint=error.hint) from error
    content = {str(key): value for key, value in _mapping(block, where).items()}
    if "data" in content:
        content["data"] = _layout(f"{where}: 'data'", content["data"])
    checked = validated(Block, content, where)
    return DatasetSpec(**dict(checked), name=name, root=root)


def _layout(where: str, content: object) -> Layout:
    mapping = {str(key): value for key, value in _mapping(content, where).items()}
    known = layouts()
    name = mapping.get("layout")
    if name is None:
        raise IqbenchError(f"{where}: key 'layout' is missing", hint=f"Known: {', '.join(known)}")
    if not isinstance(name, str) or name not in known:
        error = unknown_name("layout", str(name), known)
        raise IqbenchError(f"{where}: {error.message}", hint=error.hint)
    return validated(known[name], mapping, where)
