"""Score outputs again, and compare the values with those of a results folder.

Checksums and digests show that tables have not changed, and which files they claim to describe.
Only computing the values again shows whether they are right.
"""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, cast, get_args

import pandas as pd

from iqbench.api import Evaluation, run_evaluation
from iqbench.columns import gap_of_values
from iqbench.datasets.files import some
from iqbench.document.model import Document, Entry, Section, TableColumn, numbers, texts
from iqbench.document.text import plural
from iqbench.errors import IqbenchError, unknown_name
from iqbench.results.read import load_images, load_values
from iqbench.results.signature import gray_output_of, parse_signature

if TYPE_CHECKING:
    from iqbench.engine.compute import Precision
    from iqbench.engine.reporter import Reporter
    from iqbench.metrics._base import Column
    from iqbench.protocols.view import GrayOutput

__all__ = ["RescoredValue", "Rescoring", "State", "not_compared", "rescore", "rescoring_document"]

_MOST = 20
"""The largest number of values that are listed."""

State: TypeAlias = Literal[
    "equal", "differs", "other files", "not stored", "not computed", "not checked"
]

_WRONG = ("differs", "other files", "not stored", "not computed")
_KEYS = ["dataset", "method", "image", "metric", "signature"]
RUNTIME = "runtime"
"""A time is another one each time."""


@dataclass(frozen=True)
class RescoredValue:
    """One value, as it is stored and as it was computed again.

    Attributes
    ----------
    dataset, method, image, metric, signature
        Which value; the image of a value of a whole set is empty.
    stored, computed
        The two; None where there is none.
    deviation
        How far apart they are, in tolerances of the metric: up to 1 is equal. Infinite where one
        of them is missing.
    state
        ``equal``; ``differs``; ``other files``: the stored one is of other files than these;
        ``not stored``; ``not computed``: no run of these files gives a value of that signature;
        ``not checked``: it was imported, or is a time.
    why
        What is known beside it.
    """

    dataset: str
    method: str
    image: str
    metric: str
    signature: str
    stored: float | None
    computed: float | None
    deviation: float
    state: State
    why: str = ""

    @property
    def wrong(self) -> bool:
        """Tell whether the folder does not hold what the files give."""
        return self.state in _WRONG


@dataclass(frozen=True)
class Rescoring:
    """All values that were compared.

    Attributes
    ----------
    values
        Each; the worst first.
    others
        By dataset and method, how many stored values were not compared, as no outputs were given.
    """

    values: Sequence[RescoredValue]
    others: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @property
    def wrong(self) -> list[RescoredValue]:
        """Values whose state is wrong, the worst first."""
        return [value for value in self.values if value.wrong]

    def count(self, state: State) -> int:
        """Count the values of a state."""
        return sum(value.state == state for value in self.values)


def rescore(results: Path, evaluation: Evaluation, reporter: Reporter | None = None) -> Rescoring:
    """Score the outputs of methods again and compare with what a results folder has.

    Parameters
    ----------
    results
        The results folder; nothing is written into it.
    evaluation
        Which methods, on what. Metrics, protocols, precisions and the reading of gray outputs are
        those of the stored values.
    reporter
        Is told how far it is.

    Returns
    -------
    Rescoring
        What was compared.

    Raises
    ------
    IqbenchError
        If the folder has nothing of the methods and datasets, or the input is wrong.
    """
    everything = _values(results)
    names = _stored_names(evaluation)
    stored = everything if names is None else everything[everything["method"].isin(names)]
    if names and stored.empty:
        raise unknown_name("method", names[0], set(everything["method"]))
    with tempfile.TemporaryDirectory(prefix="iqbench-rescore-") as folder:
        anew = Path(folder) / "results"
        for part in _evaluations(stored, evaluation):
            again = replace(part, results=anew, recompute=False)
            run_evaluation(again, reporter, trust_digests=False)
        if not anew.exists():
            raise IqbenchError(
                f"{results} has no value that can be computed again",
                hint="Values that were imported, and times, cannot be checked",
            )
        computed, images = _values(anew), load_images(anew)
    known = load_images(results)
    there = set(zip(images["dataset"], images["method"], strict=True))
    of_stored = set(zip(stored["dataset"], stored["method"], strict=True))
    if not there & of_stored:
        datasets = sorted({dataset for dataset, _ in there})
        raise unknown_name("dataset", datasets[0], {dataset for dataset, _ in of_stored})
    mine = [key in there for key in zip(stored["dataset"], stored["method"], strict=True)]
    values = list(_compare(stored[mine], computed, _other_files(known, images)))
    values.sort(key=lambda one: (not one.wrong, -one.deviation, one.dataset, one.method, one.image))
    rest = Counter(zip(everything["dataset"], everything["method"], strict=True))
    return Rescoring(values, {key: rest[key] for key in sorted(rest.keys() - there)})


def _stored_names(evaluation: Evaluation) -> list[str] | None:
    """Name the methods that are asked for; None for those that datasets bring."""
    from iqbench.datasets.matching.methods import resolve_methods

    if not evaluation.methods and evaluation.methods_in is None:
        return None
    return [one.name for one in resolve_methods(evaluation.methods, evaluation.methods_in)]


def _values(results: Path) -> pd.DataFrame:
    """Read values of images and of whole sets; the latter have an empty image."""
    scores, sets = load_values(results)
    frames = [scores, sets.assign(image="")]
    columns = [*_KEYS, "value", "error", "protocol"]
    return pd.concat(
        [one[columns].astype({key: object for key in columns if key != "value"}) for one in frames],
        ignore_index=True,
    )


def _evaluations(stored: pd.DataFrame, evaluation: Evaluation) -> Iterator[Evaluation]:
    """Give one evaluation for each way in which stored values were computed."""
    ways: dict[tuple[str, str, str, bool], dict[str, None]] = {}
    known = stored[["metric", "signature", "protocol"]].drop_duplicates()
    for row in known.to_dict("records"):
        fields = parse_signature(row["signature"])
        if _is_unchecked(row["metric"], fields) or _unknown(row["metric"]):
            continue
        precision = fields.get("precision", "exact")
        other_set = fields.get("set", "references") != "references"
        way = row["protocol"], precision, gray_output_of([row["signature"]]), other_set
        ways.setdefault(way, {})[row["metric"]] = None
    for (protocol, precision, gray_output, other_set), metrics in ways.items():
        yield replace(
            evaluation,
            protocol=protocol,
            metrics=list(metrics),
            precision=cast("Precision", precision),
            gray_output=cast("GrayOutput", gray_output),
            reference_set=evaluation.reference_set if other_set else None,
        )


def _is_unchecked(metric: str, fields: Mapping[str, str]) -> bool:
    return metric == RUNTIME or fields.get("source") == "imported"


def _unknown(metric: str) -> str:
    """Say why a metric cannot be computed here; empty where it can."""
    from iqbench.metrics._registry import resolve_metrics

    try:
        resolve_metrics([metric])
    except IqbenchError as error:
        return error.message
    return ""


def _other_files(known: pd.DataFrame, images: pd.DataFrame) -> dict[tuple[str, str, str], str]:
    """Say of which images the stored values are of other files than those that were scored."""
    keys = ["dataset", "method", "image"]
    columns = ["output_digest", "reference_digest"]
    both = (
        images[keys + columns]
        .astype(object)
        .merge(known[keys + columns].astype(object), on=keys, suffixes=("", "_stored"))
    )
    found: dict[tuple[str, str, str], str] = {}
    for column, what in (("reference_digest", "reference"), ("output_digest", "output")):
        there = both[column].notna() & both[f"{column}_stored"].notna()
        differ = both[there & (both[column] != both[f"{column}_stored"])]
        for key in differ[keys].itertuples(index=False, name=None):
            found[key] = f"the stored value is of another {what}"
    return found


def _compare(
    stored: pd.DataFrame,
    computed: pd.DataFrame,
    other_files: Mapping[tuple[str, str, str], str],
) -> Iterator[RescoredValue]:
    """Compare value by value."""
    both = stored.merge(computed, on=_KEYS, how="outer", suffixes=("", "_now"), indicator=True)
    for row in both.to_dict("records"):
        key = {name: row[name] for name in _KEYS}
        old, new = _number(row["value"]), _number(row["value_now"])
        deviation, why = math.inf, ""
        state: State = "differs"
        if _is_unchecked(row["metric"], parse_signature(row["signature"])):
            deviation, state = 0.0, "not checked"
        elif row["_merge"] == "left_only":
            state, why = "not computed", _unknown(row["metric"])
        elif row["_merge"] == "right_only":
            state, why = "not stored", _text(row["error_now"])
        elif found := other_files.get((row["dataset"], row["method"], row["image"])):
            state, why = "other files", found
        else:
            column = _column(row["metric"])
            deviation = gap_of_values(old, new, column.tolerance, column.decimals)
            state = "equal" if deviation <= 1 else "differs"
            why = _text(row["error"]) or _text(row["error_now"]) if state == "differs" else ""
        yield RescoredValue(
            **key, stored=old, computed=new, deviation=deviation, state=state, why=why
        )


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _text(error: object) -> str:
    return error if isinstance(error, str) else ""


@cache
def _column(metric: str) -> Column:
    """Return the column of the metric that is installed here, whatever the folder says of it."""
    from iqbench.metrics._registry import resolve_metrics

    (request,) = resolve_metrics([metric])
    return request.column


def rescoring_document(found: Rescoring) -> Document:
    """Arrange the result: counts by dataset and method, then the worst values.

    CSV and JSON contain every value that is not equal.
    """
    states = get_args(State)
    groups = sorted({(one.dataset, one.method) for one in found.values})
    counts = {
        group: Counter(one.state for one in found.values if (one.dataset, one.method) == group)
        for group in groups
    }
    shown = [state for state in states if state == "equal" or found.count(state)]
    summary = Section(
        "",
        columns=[
            texts("dataset", (dataset for dataset, _ in groups)),
            texts("method", (method for _, method in groups)),
            *(numbers(state, (counts[one][state] for one in groups), 0) for state in shown),
        ],
        fixed=2,
    )
    worst = found.wrong[:_MOST]
    table = Section(
        "Worst" if len(found.wrong) > _MOST else "Not as stored",
        columns=[
            texts("dataset", (one.dataset for one in worst)),
            texts("method", (one.method for one in worst)),
            texts("image", (one.image or "all" for one in worst)),
            texts("metric", (one.metric for one in worst)),
            numbers("stored", (math.nan if one.stored is None else one.stored for one in worst)),
            numbers(
                "computed", (math.nan if one.computed is None else one.computed for one in worst)
            ),
            texts("state", (one.state for one in worst)),
            TableColumn("note", "why", [Entry(one.why) for one in worst]),
        ],
        fixed=4,
    )
    kept = [asdict(one) for one in found.values if one.state != "equal"]
    columns = [one.name for one in fields(RescoredValue)]
    return Document(
        [summary, *([table] if worst else [])],
        notes=list(_notes(found)),
        records=pd.DataFrame(kept, columns=columns),
        page="iqbench results verify --rescore",
    )


def _notes(found: Rescoring) -> Iterator[str]:
    checked = sum(one.state != "not checked" for one in found.values)
    yield f"{plural(checked, 'value')} compared, {len(found.wrong):,} not as stored"
    if unchecked := found.count("not checked"):
        yield f"{plural(unchecked, 'value')} not checked: they were imported, or are times"
    if found.others:
        yield not_compared(found)


def not_compared(found: Rescoring) -> str:
    """Say how many values were not compared, and whose, as no outputs of them were given."""
    count = sum(found.others.values())
    names = [f"{method} on {dataset} ({n:,})" for (dataset, method), n in found.others.items()]
    return f"{plural(count, 'value')} not compared, as no outputs were given: {some(names)}"
