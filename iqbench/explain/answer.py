"""The answer in words: what was done, how sure that is, and what would tell more."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from iqbench.explain.convention import FIELDS, phrases, split_names
from iqbench.explain.plausibility import KINDS

__all__ = ["Answer", "answer"]

FEW = 5
"""With so many values of images, the values of more images would add little."""

SAME = 2e-5
"""Values that differ relatively by less than this are one value to a reader."""

FIRM = ("crop", "modcrop", "brightness")
"""Settings that make a match of a mean a rival even if it changes the mean by less than `SAME`."""

EQUAL = 1e-9
"""Values that differ relatively by less than this come from the same pixels."""

APART = 1e-3
"""Without a common cause, each value of a table must be less likely by chance than this."""

FARTHER = 10
"""A convention with a name counts as the nearest unless another is so many times nearer."""

MOST = 0.5
"""If a larger part of the protocols and libraries gives a value, the value tells nothing."""

LIKELY = (KINDS[:1], KINDS[:3], KINDS)
"""Kinds of conventions: with a name, deliberately chosen, all."""

VIEW = ("colour", "quantise", "modcrop", "crop", "gray", "brightness", "prepared")
"""What metrics of one table have in common if they were computed of the same pixels."""

VERDICTS = ("explained", "ambiguous", "coincidence", "nothing")
"""From the surest to the least sure. Several metrics together have their least sure verdict."""


@dataclass(frozen=True)
class Answer:
    """What `iqbench.explain.explain` found, for people.

    Attributes
    ----------
    verdict
        ``explained``; ``ambiguous``: several equally plausible conventions fit, or the metrics of
        one table have no common cause; ``coincidence``: some fit, but chance would do that too;
        ``nothing``: none fits.
    sentence
        The answer.
    advice
        What would tell more, or an empty text.
    """

    verdict: str
    sentence: str
    advice: str


def answer(frame: pd.DataFrame) -> Answer:
    """Say what was found in words.

    Parameters
    ----------
    frame
        What `iqbench.explain.explain` returned.
    """
    tables = [part for _, part in frame.groupby("reported", sort=False)]
    common = _common(tables)
    parts = [_answer(part, common) for part in tables]
    if len(parts) > 1 and all(part.verdict in VERDICTS[:2] for part in parts):
        parts.append(_together(frame[frame["best"]], tables))
    verdict = max((part.verdict for part in parts), key=VERDICTS.index)
    advice = next((part.advice for part in parts if part.verdict == verdict), "")
    return Answer(verdict, " ".join(part.sentence for part in parts if part.sentence), advice)


def _common(tables: Sequence[pd.DataFrame]) -> set[tuple[object, ...]]:
    """Return the views that reproduce the values of every metric."""
    sets = [set(map(_view, table[table["reproduces"]].to_dict("records"))) for table in tables]
    return set.intersection(*sets)


def _view(row: Mapping[Any, Any]) -> tuple[object, ...]:
    return tuple(row[name] for name in VIEW)


def _answer(frame: pd.DataFrame, common: Collection[tuple[object, ...]]) -> Answer:
    """Answer for one metric; a rival of the best has to fit the other metrics too."""
    reported = str(frame["reported"].iloc[0])
    matches = frame[frame["reproduces"]]
    if matches.empty:
        return _nothing(frame, reported)
    best = matches.iloc[0].to_dict()
    if bool(best["coincidence"]):
        return _coincidence(matches, len(frame), reported)
    named = frame[frame["plausibility"] == KINDS[0]]
    if len(named) > 1 and named["reproduces"].mean() > MOST:
        return _nothing_told(named, reported)
    rivals = [row for row in _rivals(matches, best) if _view(row) in common]
    text = f"{reported}: {_does(best)}."
    command = _command(best)
    if command:
        text += f" With {command} iqbench gives {best['value']:.6f}."
    alone = "of " not in reported and _inexact(best)
    if not rivals:
        return Answer("ambiguous" if alone else "explained", text, _more(frame) if alone else "")
    others = "; ".join(_name(row) for row in rivals[:3])
    more = f" and {len(rivals) - 3} more" if len(rivals) > 3 else ""
    text += f" These digits fit others that are as plausible: {others}{more}."
    return Answer("ambiguous", text, _more(frame))


def _rivals(matches: pd.DataFrame, best: Mapping[Any, Any]) -> list[dict[Any, Any]]:
    """Return the matches that are as plausible as the best, but have another value.

    If only a mean was reported, a match with another crop or brightness is a rival even if the two
    means are nearly equal, because the values of single images differ.
    """
    kind = best["plausibility"]
    alike = matches[matches["plausibility"] == kind]
    alike = alike[alike["departures"] <= best["departures"]]
    alike = alike[alike["exact"] >= best["exact"]]
    differences = (alike["value"] - best["value"]).abs()
    other = differences > SAME * abs(best["value"])
    if "of " not in best["reported"]:
        changed = pd.concat([alike[name] != best[name] for name in FIRM], axis=1).any(axis=1)
        other |= changed & (differences > EQUAL * abs(best["value"]))
    rivals = alike[other]
    # What has the same pixels is named once.
    rivals = rivals[~rivals["value"].round(9).duplicated()]
    return [dict(row) for row in rivals.to_dict("records")]


def _coincidence(matches: pd.DataFrame, tried: int, reported: str) -> Answer:
    best = matches.iloc[0].to_dict()
    count = len(matches)
    fit = "one convention fits" if count == 1 else f"{count} conventions fit"
    text = (
        f"{reported}: what fits may be a coincidence. Of {tried} conventions, {fit}, and "
        f"{_expected(best['chance'])} would fit by chance. The most plausible is {_name(best)}"
    )
    if best["plausibility"] == KINDS[-1]:
        text += ", which needs two unlikely choices at once"
    return Answer("coincidence", text + ".", _more(matches))


def _nothing_told(named: pd.DataFrame, reported: str) -> Answer:
    """Answer where nearly all conventions give the same value, as of equal images."""
    count = int(named["reproduces"].sum())
    text = (
        f"{reported}: {count} of {len(named)} conventions of protocols and libraries give this "
        "value on these images, so it tells nothing about the convention."
    )
    return Answer("ambiguous", text, "Give the values of images that differ from their references.")


def _nothing(frame: pd.DataFrame, reported: str) -> Answer:
    near = _nearest(frame)
    text = (
        f"{reported}: nothing I know fits. The nearest plausible convention is {_name(near)}, off "
        f"by {abs(near['difference']):.2g}."
    )
    advice = (
        "Is it another pair of images, an output that was resized, shifted or saved as JPEG, "
        "another checkpoint, or a mean over other images?"
    )
    return Answer("nothing", text, advice)


def _nearest(frame: pd.DataFrame) -> dict[Any, Any]:
    """Return the nearest plausible convention; those with a name are preferred."""
    sure, likely, every = (frame["plausibility"].isin(kinds) for kinds in LIKELY)
    named, plausible = (_least(frame[rows]) for rows in (sure, likely))
    if not plausible:
        return _least(frame[every])
    if not named or abs(plausible["difference"]) * FARTHER < abs(named["difference"]):
        return plausible
    return named


def _least(frame: pd.DataFrame) -> dict[Any, Any]:
    """Return the row with the least difference; an empty one if there are no rows."""
    order = frame["difference"].abs().sort_values(kind="stable").index
    return dict(frame.loc[order[0]]) if len(order) else {}


def _expected(chance: float) -> str:
    """Write how many fits are expected by chance."""
    return f"about {chance:.0f}" if chance >= 10 else f"about {chance:.2g}"


def _more(frame: pd.DataFrame) -> str:
    """Say what would make the answer surer."""
    images = int(frame["images"].max())
    if "of " in str(frame["reported"].iloc[0]) and images >= FEW:
        return "More digits, or another metric of the same table, would tell more."
    if images > 1:
        return "The values of single images (--values FILE) would tell; so would more digits."
    return "More digits, or the values of more images or another metric, would tell more."


def _does(row: Mapping[Any, Any]) -> str:
    """Describe a convention, and name who uses it."""
    what = ", ".join(phrases(row["metric"], {name: row[name] for name in FIELDS}))
    inexact = ", up to what single precision changes" if _inexact(row) else ""
    return f"{what}{inexact} ({_who(row)})"


def _inexact(row: Mapping[Any, Any]) -> bool:
    """Tell whether float32 is needed to explain the digits, and no library is known to use it."""
    return not row["exact"] and not row["library"]


def _who(row: Mapping[Any, Any]) -> str:
    functions = split_names(str(row["library"]))
    if " but " not in str(row["protocol"]):
        first = str(row["protocol"]).split(", ")[0]
        return f"protocol {first}" + (f"; also {_functions(functions)}" if functions else "")
    return _functions(functions) if functions else str(row["protocol"])


def _functions(names: Sequence[str]) -> str:
    """Name the first of several functions of libraries, and say how many more there are."""
    if len(names) == 1:
        return names[0]
    return f"{names[0]} and {len(names) - 1} other function" + ("s" if len(names) > 2 else "")


def _name(row: Mapping[Any, Any]) -> str:
    """Name a convention in a few words."""
    known = str(row["library"])
    protocol = str(row["protocol"]).split(", ")[0] if " but " not in row["protocol"] else ""
    if protocol:
        return f"{row['metric']} under {protocol}"
    return split_names(known)[0] if known else f"{row['metric']} under {row['protocol']}"


def _command(row: Mapping[Any, Any]) -> str:
    """Return the options of `iqbench evaluate` that give the value, if a protocol does."""
    if " but " in str(row["protocol"]) or ", " in str(row["metric"]):
        return ""
    protocol = str(row["protocol"]).split(", ")[0]
    options = f"`--metric {row['metric']} --protocol {protocol}`"
    return options if row["pool"] == "images" else ""


def _together(best: pd.DataFrame, tables: Sequence[pd.DataFrame]) -> Answer:
    """Say whether the values of several metrics have one cause."""
    # Only PSNR has several ways to average.
    views = best[[name for name in FIELDS if name not in ("metric", "pool")]].drop_duplicates()
    if len(views) == 1:
        return Answer("explained", "All of them have one cause.", "")
    protocols = set.intersection(*(_protocols(row) for row in best.to_dict("records")))
    if protocols:
        return Answer(
            "explained", f"All of them have one cause: protocol {sorted(protocols)[0]}.", ""
        )
    libraries = set.intersection(*(_libraries(row) for row in best.to_dict("records")))
    if libraries:
        text = f"{sorted(libraries)[0]} computes all of them, with different settings."
        return Answer("explained", text, "")
    text = "No single protocol or library gives all of them"
    if (best["chance"] <= APART).all():
        return Answer("explained", f"{text}.", "")
    return Answer("ambiguous", f"{text}, so one may be a coincidence.", _more(tables[0]))


def _protocols(row: Mapping[Any, Any]) -> set[str]:
    protocol = str(row["protocol"])
    return set() if " but " in protocol else set(protocol.split(", "))


def _libraries(row: Mapping[Any, Any]) -> set[str]:
    return {name.split(" ")[0] for name in split_names(str(row["library"]))}
