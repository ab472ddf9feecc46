"""The Python functions of ``iqbench check`` and ``iqbench compare``, on results folders."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from os import PathLike

from iqbench.errors import IqbenchError, unknown_name
from iqbench.gate.check import ALLOWABLE, ALPHA, Check, check_parts
from iqbench.gate.compare import Comparison, compare_parts
from iqbench.gate.compared_scores import compared_datasets
from iqbench.gate.margins import NO_MARGIN, parse_image_margins, parse_margins
from iqbench.results.filters import Filters
from iqbench.results.mirror import addresses_in_errors, local_results

__all__ = ["check", "compare"]

_Filters = Mapping[str, str | Sequence[str]]


@addresses_in_errors()
def check(
    results: str | PathLike[str] = "results",
    *,
    baseline: str | PathLike[str],
    margins: Mapping[str, float | str] | None = None,
    image_margins: Mapping[str, float | str | None] | str | None = None,
    methods: Mapping[str, str] | None = None,
    alpha: float = ALPHA,
    allow: Collection[str] = (),
    filters: _Filters | None = None,
) -> Check:
    """Check whether results are worse than a baseline, as ``iqbench check`` does.

    Parameters
    ----------
    results, baseline
        The new results and the baseline: results folders, or text baselines.
    margins
        The smallest loss of a mean that fails the check, by metric: in the metric's unit, or as
        text with ``%`` relative to the baseline's mean: ``{"psnr": 0.1, "lpips": "2%"}``.
    image_margins
        The smallest loss of a single image that fails the check, likewise; with ``%`` relative to
        that image's value. None switches off the limit of a metric, and ``image_margins="none"``
        all limits.
    methods
        The new names of methods that have another name in the baseline, by old name.
    alpha
        The largest probability that the rule on means calls noise worse.
    allow
        Verdicts that do not fail the check: ``missing``, ``not comparable``.
    filters
        The value or values to keep of ``dataset``, ``method``, ``metric``, ``protocol`` or
        ``precision``.

    Returns
    -------
    Check
        ``passed``, ``why()``, ``rows`` and ``pairs``, see `iqbench.gate.check.check`.

    Raises
    ------
    IqbenchError
        If a folder cannot be read, or an argument names something that does not exist.

    Examples
    --------
    >>> found = iqbench.check("results", baseline="results/baseline")  # doctest: +SKIP
    >>> assert found.passed, found.why()  # doctest: +SKIP
    """
    if not 0 < alpha < 1:
        raise IqbenchError(f"alpha is {alpha}", hint="Give a number between 0 and 1, such as 0.05")
    for name in allow:
        if name not in ALLOWABLE:
            raise unknown_name("verdict of allow", name, ALLOWABLE)
    limits = [image_margins] if isinstance(image_margins, str) else _texts(image_margins or {})
    with compared_datasets(
        local_results(baseline),
        local_results(results),
        Filters.of(filters).wanted,
        _texts(methods or {}),
    ) as compared:
        return check_parts(
            compared.parts(),
            methods=compared.methods,
            margins=parse_margins(_texts(margins or {}), compared.columns, "margins"),
            image_margins=parse_image_margins(limits, compared.columns, "image_margins"),
            alpha=alpha,
            allow=allow,
        )


@addresses_in_errors()
def compare(
    first: str | PathLike[str],
    second: str | PathLike[str],
    *,
    methods: Mapping[str, str] | None = None,
    filters: _Filters | None = None,
) -> Comparison:
    """Compare two runs image by image, as ``iqbench compare`` does.

    Parameters
    ----------
    first, second
        Results folders, or text baselines.
    methods
        The second side's names of methods that have another name on the first, by first name.
    filters
        As for `check`.

    Returns
    -------
    Comparison
        ``rows`` and ``pairs``, see `iqbench.gate.compare.compare`.

    Raises
    ------
    IqbenchError
        As for `check`.
    """
    with compared_datasets(
        local_results(first),
        local_results(second),
        Filters.of(filters).wanted,
        _texts(methods or {}),
    ) as compared:
        return compare_parts(compared.parts(), methods=compared.methods)


def _texts(values: Mapping[str, float | str | None]) -> list[str]:
    """Write ``NAME=VALUE`` as on the command line, so that one parser reads both."""
    return [f"{name}={NO_MARGIN if value is None else value}" for name, value in values.items()]
