"""A user's own presets, from a YAML file in the format of ``presets.yaml``."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from pydantic import ValidationError

from iqbench.errors import IqbenchError, unknown_name
from iqbench.images.peaks import check_peak
from iqbench.protocols.model import Preset, ViewTemplate
from iqbench.user_files import expand_user, why_no_file
from iqbench.yaml_file import found_in_working_folder, kind_of, read_yaml

__all__ = ["PROTOCOLS_VARIABLE", "find_protocols_file", "load_user_presets"]

PROTOCOLS_VARIABLE = "IQBENCH_PROTOCOLS"
"""The environment variable that names a file of presets, or the null device for none.

Without it, ``./protocols.yaml`` is read.
"""


def find_protocols_file() -> Path | None:
    """Return the file of the user's own presets, if there is one.

    Raises
    ------
    IqbenchError
        If the environment variable names a file that does not exist.
    """
    named = os.environ.get(PROTOCOLS_VARIABLE)
    if named == os.devnull:
        return None
    if named:
        path = expand_user(Path(named))
        if why := why_no_file(path):
            raise IqbenchError(
                f"protocols file {path} {why}", hint=f"Correct or unset {PROTOCOLS_VARIABLE}"
            )
        return path
    local = Path("protocols.yaml")
    return local if os.path.lexists(local) else None


def load_user_presets(path: Path, taken: Collection[str]) -> dict[str, Preset]:
    """Read and validate presets.

    Parameters
    ----------
    path
        A YAML file, one block per preset.
    taken
        Names that may not be used again.

    Returns
    -------
    dict
        By name.

    Raises
    ------
    IqbenchError
        Naming the file, the block and the key that is wrong, and saying so where the file was read
        only because it lies in the working folder.
    """
    if os.environ.get(PROTOCOLS_VARIABLE):
        return _load(path, taken)
    otherwise = f"work in another folder, or set {PROTOCOLS_VARIABLE} to a file of your own, or to "
    with found_in_working_folder(path, f"{otherwise}{os.devnull} for none"):
        return _load(path, taken)


def _load(path: Path, taken: Collection[str]) -> dict[str, Preset]:
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise IqbenchError(f"{path} must hold one block a protocol")
    presets: dict[str, Preset] = {}
    for name, block in content.items():
        where = f"{path}: protocol {name!r}"
        if not isinstance(name, str) or not name or set(name) & set(":,=| \t\n"):
            raise IqbenchError(f"{where}: a name has no blanks, no ':', ',', '=' or '|'")
        if name in taken:
            raise IqbenchError(f"{where} is built in already", hint="Choose another name")
        presets[name] = _preset(where, block)
    return presets


def _preset(where: str, block: object) -> Preset:
    """Validate one block."""
    if not isinstance(block, dict):
        raise IqbenchError(f"{where} must hold keys with values, not {kind_of(block)}")
    try:
        preset = Preset.model_validate(block)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        # Report a misspelt key first: it is why the right key is missing.
        problem = min(problems, key=lambda item: item["type"] != "extra_forbidden")
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            model = ViewTemplate if len(problem["loc"]) > 1 else Preset
            unknown = unknown_name("key", key.rpartition(".")[2], model.model_fields)
            raise IqbenchError(f"{where}: {unknown.message}", hint=unknown.hint) from None
        if problem["type"] == "missing":
            raise IqbenchError(f"{where}: key {key!r} is missing") from None
        what = problem["msg"].removeprefix("Value error, ")
        raise IqbenchError(f"{where}: key {key!r}: {what}") from None
    named = {
        value
        for view in preset.templates.values()
        for value in (view.modcrop, view.crop)
        if isinstance(value, str)
    }
    if isinstance(preset.peak, str):
        named.add(preset.peak)
    else:
        try:
            check_peak(preset.peak)
        except IqbenchError as error:
            raise IqbenchError(f"{where}: key 'peak': {error.message}", hint=error.hint) from None
    for value in sorted(named - set(preset.parameters)):
        raise IqbenchError(
            f"{where}: {value!r} is none of its parameters",
            hint=f"Name it there: parameters: {[*preset.parameters, value]}",
        )
    return preset
