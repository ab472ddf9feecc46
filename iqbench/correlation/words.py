"""Sentences that summarise the numbers of a correlation report."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from iqbench.correlation.between import WITHIN_IMAGE
from iqbench.correlation.correlations import Correlations
from iqbench.correlation.forced_choice import HUMAN
from iqbench.correlation.variation_gaps import ALL_PERCEPTUAL, variation_names

__all__ = ["sentences"]

_APART = 0.2  # share of all places: a smaller gap is not worth a sentence
_MOST = 8
_SAME = 0.95


def sentences(found: Correlations) -> list[str]:
    """Summarise the most important results.

    Parameters
    ----------
    found
        The correlations.

    Returns
    -------
    list of str
        Plain text, the strongest results of each kind first: gaps between total variation and
        perceptual distance, agreement by layer, metrics that agree almost fully or contradict each
        other, and the metric that agrees best with people. Results need the support of an
        interval. At the end: metrics without any coefficient, with the reason, and opinions that
        are left out.
    """
    return [
        *_gaps(found),
        *_layers(found),
        *_alike(found.between),
        *_contradictions(found),
        *_people(found),
        *_choices(found),
        *_reversed(found),
        *_undefined(found),
        *(f"{note}." for note in found.notes),
    ]


def _gaps(found: Correlations) -> Iterator[str]:
    if found.parting.empty:
        return
    variation = variation_names(found.table.names)[0]
    rows = found.parting[
        (found.parting["variation"] == variation) & (found.parting["perceptual"] == ALL_PERCEPTUAL)
    ]
    supported = (rows["low"] > 0) | (rows["high"] < 0)
    telling = rows[supported & (rows["value"].abs() >= _APART)]
    telling = telling.reindex(telling["value"].abs().sort_values(ascending=False).index)
    if len(telling):
        among = "methods of an image" if "method" in set(telling["by"]) else "images of a dataset"
        yield (
            "Total variation and perceptual distance disagree on these; places are among the "
            f"{among}, 0% is nearest to the reference and 100% farthest from it:"
        )
    for _, row in telling.head(_MOST).iterrows():
        yield _gap(row)
    if len(telling) > _MOST:
        yield f"{len(telling) - _MOST} more such gaps are in the table."
    if telling.empty:
        yield (
            f"No method or distortion differs significantly by more than {_APART:.0%} in its "
            f"places by total variation ({variation}) and by perceptual distance."
        )


def _gap(row: pd.Series) -> str:
    places = {
        "total variation": f"{row['variation_place']:.0%} by {row['variation']} "
        f"(mean {row['variation_mean']:.3g})",
        "perceptual distance": f"{row['perceptual_place']:.0%} by perceptual distance",
    }
    kept, moved = places if row["value"] > 0 else reversed(places)
    low, high = sorted((abs(row["low"]), abs(row["high"])))
    return (
        f"{row['group']} on {row['dataset']} changes {moved} more than {kept}: {places[moved]}, "
        f"but {places[kept]}; gap {abs(row['value']):.0%} [{low:.0%}, {high:.0%}]."
    )


def _layers(found: Correlations) -> Iterator[str]:
    """Describe how agreement with total variation changes from the first layer to the last."""
    ranking = found.between[found.between["scope"] == WITHIN_IMAGE]
    for variation in variation_names(found.table.names)[-1:]:
        rows = pd.concat(
            [
                ranking[(ranking["first"] == variation)].rename(columns={"second": "layer"}),
                ranking[(ranking["second"] == variation)].rename(columns={"first": "layer"}),
            ]
        )
        layers = rows["layer"].str.match(r"perceptual-\w+-(relu|conv|bn)\d")
        rows = rows[layers & rows["low"].notna()]
        if len(rows) > 1:
            first, last = rows.iloc[0], rows.iloc[-1]
            yield (
                f"The rankings of methods by {variation} and by {first['layer']} agree with "
                f"tau {first['value']:.2f} [{first['low']:.2f}, {first['high']:.2f}], those by "
                f"{variation} and by {last['layer']} with "
                f"{last['value']:.2f} [{last['low']:.2f}, {last['high']:.2f}]."
            )


def _overall(between: pd.DataFrame) -> pd.DataFrame:
    rows = between[(between["scope"] == "within dataset") & (between["coefficient"] == "spearman")]
    return rows[rows["low"].notna()]


def _alike(between: pd.DataFrame) -> Iterator[str]:
    rows = _overall(between)
    rows = rows[rows[["low", "high"]].abs().min(axis=1) >= _SAME]
    if len(rows):
        pairs = [f"{row['first']} and {row['second']}" for _, row in rows.iterrows()]
        more = f" and {len(pairs) - _MOST} more pairs" if len(pairs) > _MOST else ""
        yield (
            "Within datasets these pairs rank images almost equally (the interval of Spearman's "
            f"coefficient is beyond {_SAME}): {'; '.join(pairs[:_MOST])}{more}."
        )


def _contradictions(found: Correlations) -> Iterator[str]:
    ranking = found.between[found.between["scope"] == WITHIN_IMAGE]
    signs = {"higher": 1, "lower": -1}
    for _, row in ranking.iterrows():
        directions = [found.directions.get(row[name], "") for name in ("first", "second")]
        expected = signs.get(directions[0], 0) * signs.get(directions[1], 0)
        if expected and (row["high"] * expected < 0) and (row["low"] * expected < 0):
            yield (
                f"{row['first']} and {row['second']} contradict each other on the ranking of "
                f"methods: tau {row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}], though "
                f"{'both should have the same' if expected > 0 else 'they should have opposite'} "
                f"{'sign' if expected > 0 else 'signs'}."
            )


def _people(found: Correlations) -> Iterator[str]:
    rows = _of(found.opinion, "srcc")
    for dataset, part in rows.dropna(subset=["value"]).groupby("dataset"):
        best = part.iloc[int(part["value"].abs().to_numpy().argmax())]
        text = (
            f"On {dataset}, {best['metric']} agrees best with opinion: SRCC {best['value']:.3f}"
            f"{_interval(best)}"
        )
        others = found.differences[
            (found.differences["dataset"] == dataset) & (found.differences["statistic"] == "srcc")
        ]
        own = others[(others["first"] == best["metric"]) | (others["second"] == best["metric"])]
        own = own[own["p_holm"].notna()]
        limit = 1 - found.bootstrap.confidence
        equal = own[~(own["p_holm"] < limit)]
        names = [
            row["second"] if row["first"] == best["metric"] else row["first"]
            for _, row in equal.iterrows()
        ]
        if names:
            text += f"; not significantly better than {', '.join(names)}"
        elif len(own):
            text += "; significantly better than every other metric (bootstrap, Holm)"
        yield text + "."


def _choices(found: Correlations) -> Iterator[str]:
    rows = _of(found.opinion, "2afc")
    for dataset, part in rows.groupby("dataset"):
        human = part[part["metric"] == HUMAN].iloc[0]
        metrics = part[part["metric"] != HUMAN]
        best = metrics.iloc[int(metrics["value"].to_numpy().argmax())]
        yield (
            f"On {dataset}, {best['metric']} chooses most like people: 2AFC {best['value']:.1%}"
            f"{_interval(best)}; one more person would reach {human['value']:.1%}."
        )


def _reversed(found: Correlations) -> Iterator[str]:
    for _, row in _of(found.opinion, "srcc").iterrows():
        direction = {"higher": 1, "lower": -1}.get(found.directions.get(row["metric"], ""), 0)
        part = found.opinions[found.opinions["dataset"] == row["dataset"]]
        if (part["mos_direction"] == "lower").all():
            direction = -direction
        if direction and row["low"] * direction < 0 and row["high"] * direction < 0:
            yield (
                f"{row['metric']} has the wrong sign on {row['dataset']}: SRCC "
                f"{row['value']:.3f}{_interval(row)}."
            )


def _undefined(found: Correlations) -> Iterator[str]:
    """Name the metrics without any coefficient, with the reason."""
    values = found.table.values
    if values.shape[1] == 1 and found.opinion.empty:
        yield f"{values.columns[0]} is the only metric, so there are no correlations."
        return
    given = found.between[found.between["value"].notna()]
    known = {*given["first"], *given["second"]}
    known |= set(found.opinion.loc[found.opinion["value"].notna(), "metric"])
    lacking = [str(name) for name in values.columns if str(name) not in known]
    constant = [name for name in lacking if values[name].nunique() == 1]
    few = [name for name in lacking if name not in constant]
    if constant:
        yield f"No coefficient could be computed for {_list(constant)}: all values are equal."
    if few:
        yield (
            f"No coefficient could be computed for {_list(few)}: the other metrics are constant, "
            "or fewer than three rows have both values."
        )


def _list(names: list[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


def _of(opinion: pd.DataFrame, statistic: str) -> pd.DataFrame:
    """Return a statistic over all distortions."""
    return opinion[(opinion["statistic"] == statistic) & (opinion["distortion"] == "")]


def _interval(row: pd.Series) -> str:
    if pd.isna(row["low"]):
        return ""
    return f" [{row['low']:.3f}, {row['high']:.3f}]"
