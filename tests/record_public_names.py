"""What is public of iqbench: every name with its signature, one parameter a line.

``python tests/record_public_names.py`` writes them into public_names.txt: look at the difference
before you commit it, because whatever disappears or changes there breaks somebody's program.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

RECORD = Path(__file__).with_name("public_names.txt")

MODULES = (
    *("iqbench", "iqbench.metrics", "iqbench.datasets", "iqbench.functional", "iqbench.losses"),
    *("iqbench.maps", "iqbench.doctor", "iqbench.integrations.lightning"),
    *("iqbench.integrations.loggers", "iqbench.integrations.torchmetrics"),
    "iqbench.integrations.worst",
)
"""The public modules. What is public in each is said by its ``__all__``."""

SPECIAL = ("__call__", "__len__", "__iter__", "__getitem__")
"""Methods that users call although their names begin with an underscore."""

OF_TORCH = ("call_super_init", "dump_patches", "training")
"""What every module of torch declares."""


def public_names() -> Iterator[str]:
    """Give the lines of each public name, and of each member of a public class."""
    for module in MODULES:
        found = import_module(module)
        for name in sorted(found.__all__):
            yield from _lines(f"{module}.{name}", getattr(found, name))


def _lines(name: str, value: Any) -> Iterator[str]:
    if inspect.ismodule(value):
        yield f"module {name}"
    elif inspect.isclass(value) and _is_ours(value):
        yield f"class {name}"
        if _has_own_parameters(value):
            yield from _parameters(value)
        yield from _members(value)
    elif inspect.isfunction(value):
        yield f"function {name}"
        yield from _parameters(value)
    elif isinstance(value, str | tuple):
        yield f"constant {name}"
    else:
        yield f"type {name}"


def _is_ours(cls: type) -> bool:
    return cls.__module__.startswith("iqbench.")


def _has_own_parameters(cls: type) -> bool:
    """Tell whether our code says how it is made; of others' classes versions of Python differ."""
    ours = [base for base in cls.__mro__ if _is_ours(base)]
    return any("__init__" in vars(base) for base in ours) and not getattr(
        cls, "_is_protocol", False
    )


def _members(cls: type) -> Iterator[str]:
    bases = [base for base in reversed(cls.__mro__) if _is_ours(base)]
    members: dict[str, Any] = {}
    fields: set[str] = set()
    for base in bases:
        members |= vars(base)
        fields |= vars(base).get("__annotations__", {}).keys()
    for name, value in sorted(members.items()):
        if name.startswith("_") and name not in SPECIAL:
            continue
        plain = getattr(value, "__func__", value)
        if inspect.isfunction(plain):
            yield f"    .{name}"
            yield from (f"    {line}" for line in _parameters(plain))
        elif isinstance(value, property) or hasattr(value, "attrname"):  # a cached_property
            yield f"    .{name} (property)"
    for name in sorted(fields.difference(OF_TORCH, ["model_config"])):
        if not name.startswith("_"):
            yield f"    .{name} (attribute)"


def _parameters(value: Any) -> Iterator[str]:
    """Give the parameters as they are called: those after a * by name only."""
    signature = inspect.signature(value)
    by_name = False
    for one in signature.parameters.values():
        if one.name == "self":
            continue
        if one.kind is one.VAR_POSITIONAL:
            by_name = True
        elif one.kind is one.KEYWORD_ONLY and not by_name:
            by_name = True
            yield "    *"
        yield f"    {_without_quotes(str(one))}"
    if signature.return_annotation not in (None, "None", inspect.Signature.empty):
        yield f"    -> {_without_quotes(str(signature.return_annotation))}"


def _without_quotes(text: str) -> str:
    """Write an annotation as in the source; ``inspect`` puts it between quotes."""
    name, colon, rest = text.partition(": ")
    if not colon or rest[:1] not in ("'", '"'):
        return text
    quote = rest[0]
    annotation, _, default = rest[1:].partition(quote)
    return f"{name}: {annotation}{default}"


def record() -> str:
    """Return the whole record."""
    return "".join(f"{line}\n" for line in public_names())


if __name__ == "__main__":
    RECORD.write_text(record(), encoding="utf-8")
    sys.stdout.write(f"wrote {RECORD}\n")
