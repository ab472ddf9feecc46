"""The grammar of metric and protocol specs: ``name`` or ``name:key=value,key=value``.

A list joins its items by ``+``: ``perceptual:net=vgg19,layers=relu2_2+relu5_4,distance=l1``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, get_origin

from pydantic import BaseModel, ValidationError

from iqbench.errors import IqbenchError, unknown_name

__all__ = ["build", "format_value", "parse_spec", "spec_text", "validate"]

Model = TypeVar("Model", bound=BaseModel)


def spec_text(spec: object) -> str:
    """Return a spec without spaces around it.

    Raises
    ------
    IqbenchError
        If it is not a text.
    """
    if not isinstance(spec, str):
        raise IqbenchError(
            f"a spec is a text such as 'name:key=value', not of type {type(spec).__name__}",
            hint=f"{spec!r} cannot be one",
        )
    return spec.strip()


def parse_spec(text: str) -> tuple[str, dict[str, str]]:
    """Split a spec into its name and its options.

    Parameters
    ----------
    text
        ``name`` or ``name:key=value,key=value``.

    Returns
    -------
    tuple
        The name, and the options as written.

    Raises
    ------
    IqbenchError
        If it is not a text, or an option is not of the form ``key=value`` or is given twice.
    """
    name, _, tail = spec_text(text).partition(":")
    options: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in tail.split(","))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not (key and equals and value):
            raise IqbenchError(
                f"{part!r} in {text!r} is not of the form key=value",
                hint="Write name:key=value,key=value; join the items of a list by '+'",
            )
        if key in options:
            raise IqbenchError(f"{key!r} is given twice in {text!r}")
        options[key] = value
    return name.strip(), options


def build(model: type[Model], options: Mapping[str, str], *, where: str) -> Model:
    """Make a validated model from the options of a spec.

    Parameters
    ----------
    model
        A pydantic model whose fields are the options; tuple fields take lists joined by ``+``.
    options
        The options as written.
    where
        What the options belong to, for messages, e.g. ``"metric 'lpips'"``.

    Returns
    -------
    BaseModel
        An instance of `model`.

    Raises
    ------
    IqbenchError
        On an unknown key, with the nearest known one, an option that is missing, or a value that
        does not fit.
    """
    values: dict[str, Any] = {}
    for key, value in options.items():
        field = model.model_fields.get(key)
        if field is None:
            raise unknown_name(f"option of {where}", key, model.model_fields)
        is_list = get_origin(field.annotation) is tuple
        values[key] = tuple(filter(None, value.split("+"))) if is_list else value
    for key, field in model.model_fields.items():
        if field.is_required() and key not in values:
            raise IqbenchError(
                f"{where} needs its option {key!r}",
                hint=f"Write it behind the name and a colon: {key}=VALUE",
            )
    return validate(model, values, where=where)


def validate(model: type[Model], values: Mapping[str, Any], *, where: str) -> Model:
    """Make a validated model from values, with pydantic's complaint in one sentence.

    Parameters
    ----------
    model
        A pydantic model.
    values
        Of its fields.
    where
        What the values belong to, for messages.

    Returns
    -------
    BaseModel
        An instance of `model`.

    Raises
    ------
    IqbenchError
        Of the first value that does not fit.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        option = ".".join(str(part) for part in first["loc"][:1]) or "options"
        message = first["msg"].removeprefix("Value error, ")
        raise IqbenchError(f"{option} of {where}: {message}") from None


def format_value(value: object) -> str:
    """Write an option's value as a spec has it; lists joined by ``+``, numbers in full.

    Two different values are never written alike: a column's name is spelt so.

    Parameters
    ----------
    value
        A string, number or tuple of them.

    Returns
    -------
    str
        Text that `parse_spec` and `build` read back as the same value.
    """
    if isinstance(value, tuple):
        return "+".join(format_value(item) for item in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        # No plus in an exponent: it joins the items of a list.
        return repr(value).removesuffix(".0").replace("e+", "e")
    return str(value)
