"""Formulas over columns: a subset of Python's expressions, parsed by `ast`, never run as code.

Names of columns are quoted: ``(1 - 'lpips-alex') + max(0, (10 - 'niqe') / 10)``.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqbench.errors import IqbenchError, unknown_name

__all__ = ["Formula", "Resolve"]

Floats = NDArray[np.float64]
Resolve = Callable[[str], Floats]
"""Returns the values or the ranks of a column by its name; shape (..., methods)."""

_LONGEST = 4000
_DEEPEST = 60

_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
_OF_ONE: Mapping[str, Callable[[Any], Any]] = {
    "abs": np.abs,
    "exp": np.exp,
    "log": np.log,
    "log10": np.log10,
    "sqrt": np.sqrt,
}
_OF_MANY: Mapping[str, Callable[[Any, Any], Any]] = {"max": np.maximum, "min": np.minimum}
_RANK = "rank"
_KNOWN = (*_OF_ONE, *_OF_MANY, _RANK)
_HINT = (
    "Write numbers, quoted columns, + - * / **, brackets, and "
    f"{', '.join(_KNOWN)}: (1 - 'lpips-alex') + 'psnr' / 50"
)


@dataclass(frozen=True)
class Formula:
    """A formula that has been checked.

    Attributes
    ----------
    text
        The formula as the user wrote it.
    tree
        Its syntax tree.
    columns
        The names in quotes, without repetition.
    """

    text: str
    tree: ast.expr
    columns: tuple[str, ...]

    @classmethod
    def of(cls, text: str, where: str) -> Formula:
        """Read a formula.

        Parameters
        ----------
        text
            The formula.
        where
            The name of its composite score, for messages.

        Raises
        ------
        IqbenchError
            If the text is not a formula, uses a disallowed expression, or names no column.
        """
        if len(text) > _LONGEST:
            raise IqbenchError(f"the formula of {where} has more than {_LONGEST} characters")
        try:
            tree = ast.parse(" ".join(text.split()), mode="eval").body
        except SyntaxError as error:
            message = f"the formula of {where} is not valid: {error.msg}"
            raise IqbenchError(message, hint=_HINT) from None
        except (ValueError, MemoryError, RecursionError, OverflowError):
            raise IqbenchError(f"the formula of {where} cannot be read", hint=_HINT) from None
        columns: dict[str, None] = {}
        _check(tree, where, columns)
        if not columns:
            raise IqbenchError(
                f"the formula of {where} names no column", hint="Put names in quotes: 'psnr'"
            )
        return cls(text.strip(), tree, tuple(columns))

    @property
    def ranks(self) -> bool:
        """Whether the formula uses ranks of methods."""
        names = (node.func for node in ast.walk(self.tree) if isinstance(node, ast.Call))
        return any(isinstance(name, ast.Name) and name.id == _RANK for name in names)

    def evaluate(self, values: Resolve, ranks: Resolve) -> Floats:
        """Compute the formula.

        Parameters
        ----------
        values, ranks
            Functions that return the values of a column, and the ranks in it.

        Returns
        -------
        numpy.ndarray
            The shape is that of the columns; NaN where the result is not a number.
        """
        with np.errstate(all="ignore"):
            found: Floats = np.asarray(_evaluate(self.tree, values, ranks), dtype=np.float64)
        return found


def _check(node: ast.expr, where: str, columns: dict[str, None], depth: int = 0) -> None:
    """Raise an error for an expression that is not allowed; collect the columns."""
    if depth > _DEEPEST:
        raise IqbenchError(f"the formula of {where} is nested too deeply")
    inner: list[ast.expr] = []
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            columns[_named(node.value, where)] = None
            return
        value = node.value
        if isinstance(value, int | float) and not isinstance(value, bool) and _finite(value):
            return
    elif isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        inner = [node.left, node.right]
    elif isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
        inner = [node.operand]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        _check_call(node, node.func.id, where)
        inner = node.args
    elif isinstance(node, ast.Name):
        raise IqbenchError(
            f"{node.id} in the formula of {where} is not in quotes", hint=f"Write '{node.id}'"
        )
    if not inner:
        part = ast.unparse(node)
        raise IqbenchError(f"{part} is not allowed in the formula of {where}", hint=_HINT)
    for one in inner:
        _check(one, where, columns, depth + 1)


def _check_call(node: ast.Call, name: str, where: str) -> None:
    """Raise an error for an unknown function or for wrong arguments."""
    if name not in _KNOWN:
        raise unknown_name(f"function in the formula of {where}", name, _KNOWN)
    if name == _RANK and not (
        len(node.args) == 1
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    ):
        raise IqbenchError(f"rank in the formula of {where} takes one quoted column")
    if name in _OF_ONE and len(node.args) != 1:
        raise IqbenchError(f"{name} in the formula of {where} takes one value")
    if name in _OF_MANY and len(node.args) < 2:
        raise IqbenchError(f"{name} in the formula of {where} takes two values or more")


def _named(text: str, where: str) -> str:
    if not text.strip():
        raise IqbenchError(f"a name in the formula of {where} is empty")
    return text.strip()


def _finite(value: int | float) -> bool:
    try:
        return bool(np.isfinite(float(value)))
    except OverflowError:
        return False


def _evaluate(node: ast.expr, values: Resolve, ranks: Resolve) -> Any:
    """Compute a part of a checked formula."""

    def of(part: ast.expr) -> Any:
        return _evaluate(part, values, ranks)

    if isinstance(node, ast.Constant):
        text = node.value
        return values(text.strip()) if isinstance(text, str) else np.float64(str(text))
    if isinstance(node, ast.BinOp):
        return _BINARY[type(node.op)](of(node.left), of(node.right))
    if isinstance(node, ast.UnaryOp):
        return _UNARY[type(node.op)](of(node.operand))
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    name = node.func.id
    if name == _RANK:
        (column,) = node.args
        assert isinstance(column, ast.Constant)
        return ranks(str(column.value).strip())
    if name in _OF_ONE:
        return _OF_ONE[name](of(node.args[0]))
    return reduce(_OF_MANY[name], map(of, node.args))
