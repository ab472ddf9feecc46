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
"""From so many values of images on, more digits or images tell nothing new."""


SAME = 2e-5
"""Relative difference below which nobody would report two values."""


@dataclass(frozen=True)
class Answer:
    """What `iqbench.explain.explain` found, for people.

    Attributes
    ----------
    verdict
        ``explained``; ``ambiguous``: several equally plausible conventions fit; ``coincidence``:
        some fit, but chance would do that too; ``nothing``: none fits.
    sentence
        The answer.
    advice
        What would tell more, or an empty text.
    """

    verdict: str
    sentence: str
    advice: str


def answer(frame: pd.DataFrame) -> Answer:
    """Put what was found into words.

    Parameters
    ----------
    frame
        What `iqbench.explain.explain` returned.
    """
    tables = [part for _, part in frame.groupby("reported", sort=False)]
    common = _common(tables)
    parts = [_answer(part, common) for part in tables]
    verdicts = [part.verdict for part in parts]
    worst = max(verdicts, key=VERDICTS.index)
    advice = next((part.advice for part in parts if part.verdict == worst), "")
    texts = [part.sentence for part in parts]
    if len(parts) > 1:
        texts.append(_together(frame, verdicts))
    return Answer(worst, " ".join(text for text in texts if text), advice)


VERDICTS = ("explained", "ambiguous", "coincidence", "nothing")


def _common(tables: Sequence[pd.DataFrame]) -> set[str]:
    """Return the protocols under which the values of every metric come out."""
    sets = [set(table["protocol"][table["reproduces"]]) for table in tables]
    return set.intersection(*sets)


def _answer(frame: pd.DataFrame, common: Collection[str]) -> Answer:
    """Answer for one metric; a rival of the best has to fit the other metrics too."""
    reported = str(frame["reported"].iloc[0])
    matches = frame[frame["reproduces"]]
    if matches.empty:
        return _nothing(frame, reported)
    best = matches.iloc[0].to_dict()
    if bool(best["coincidence"]):
        return _coincidence(matches, len(frame), reported)
    rivals = [row for row in _rivals(matches, best) if row["protocol"] in common]
    text = f"{reported}: {_does(best)}."
    command = _command(best)
    if command:
        text += f" With {command} iqbench gives {best['value']:.6f}."
    if not rivals:
        return Answer("explained", text, "")
    others = "; ".join(_name(row) for row in rivals[:3])
    more = f" and {len(rivals) - 3} more" if len(rivals) > 3 else ""
    text += f" As plausible, and not told apart by these digits: {others}{more}."
    return Answer("ambiguous", text, _more(frame))


def _rivals(matches: pd.DataFrame, best: Mapping[Any, Any]) -> list[dict[Any, Any]]:
    """Return the matches that are as plausible as the best, but another value."""
    kind = best["plausibility"]
    alike = matches[(matches["plausibility"] == kind) & ~matches["coincidence"]]
    alike = alike[alike["departures"] <= best["departures"]]
    other = (alike["value"] - best["value"]).abs() > SAME * abs(best["value"])
    return [dict(row) for row in alike[other].to_dict("records")]


def _coincidence(matches: pd.DataFrame, tried: int, reported: str) -> Answer:
    best = matches.iloc[0].to_dict()
    chance = float(best["chance"])
    count = len(matches)
    fit = "one convention fits" if count == 1 else f"{count} conventions fit"
    text = (
        f"{reported}: nothing that is plausible fits. Of {tried} conventions, {fit} ({_name(best)}"
        f"{', ...' if count > 1 else ''}), but {_expected(chance)} would by chance"
    )
    if best["plausibility"] == KINDS[-1]:
        text += ", and it needs two unlikely choices at once"
    return Answer("coincidence", text + ".", _more(matches))


def _nothing(frame: pd.DataFrame, reported: str) -> Answer:
    plausible = frame[frame["plausibility"].isin(KINDS[:3])]
    near = (plausible if len(plausible) else frame).iloc[0].to_dict()
    text = (
        f"{reported}: nothing I know fits. The nearest plausible convention is {_name(near)}, off "
        f"by {abs(near['difference']):.2g}."
    )
    advice = (
        "Is it another pair of images, an output that was resized, shifted or saved as JPEG, "
        "another checkpoint, or a mean over other images?"
    )
    return Answer("nothing", text, advice)


def _expected(chance: float) -> str:
    """Spell how many are expected by chance."""
    return "some" if chance >= 10 else f"about {chance:.2g}"


def _more(frame: pd.DataFrame) -> str:
    """Say what would make the answer surer."""
    images = int(frame["images"].max())
    if "of " in str(frame["reported"].iloc[0]) and images >= FEW:
        return "More digits, or another metric of the same table, would tell more."
    if images > 1:
        return "The values of single images (--values FILE) would tell; so would more digits."
    return "More digits, or the values of more images or another metric, would tell more."


def _does(row: Mapping[Any, Any]) -> str:
    """Say what was done, and who does that."""
    what = ", ".join(phrases(row["metric"], {name: row[name] for name in FIELDS}))
    return f"{what}; {_who(row)}"


def _who(row: Mapping[Any, Any]) -> str:
    libraries = str(row["library"])
    if " but " not in str(row["protocol"]):
        first = str(row["protocol"]).split(", ")[0]
        return f"that is protocol {first}" + (f", and {_first(libraries)}" if libraries else "")
    if libraries:
        return f"as {_first(libraries)} does"
    return f"that is {row['protocol']}"


def _first(libraries: str) -> str:
    names = split_names(libraries)
    return names[0] + (f" (and {len(names) - 1} more)" if len(names) > 1 else "")


def _name(row: Mapping[Any, Any]) -> str:
    """Name a convention in a few words."""
    known = str(row["library"])
    protocol = str(row["protocol"]).split(", ")[0] if " but " not in row["protocol"] else ""
    if protocol:
        return f"{row['metric']} under {protocol}"
    return split_names(known)[0] if known else f"{row['metric']} under {row['protocol']}"


def _command(row: Mapping[Any, Any]) -> str:
    """Return the options that give the value, where a protocol does."""
    if " but " in str(row["protocol"]) or ", " in str(row["metric"]):
        return ""
    protocol = str(row["protocol"]).split(", ")[0]
    options = f"`--metric {row['metric']} --protocol {protocol}`"
    return options if row["pool"] == "images" else ""


def _together(frame: pd.DataFrame, verdicts: Sequence[str]) -> str:
    best = frame[frame["best"]]
    if len(best) < 2 or "nothing" in verdicts:
        return ""
    views = best[[name for name in FIELDS if name != "metric"]].drop_duplicates()
    if len(views) == 1:
        return "All of them have one cause."
    shared = set.intersection(*(_names(row) for row in best.to_dict("records")))
    if shared:
        return f"All of them have one cause: {sorted(shared)[0]}."
    return "No single protocol or library does both: look at the tables."


def _names(row: Mapping[Any, Any]) -> set[str]:
    protocol = str(row["protocol"])
    names = set() if " but " in protocol else {f"protocol {name}" for name in protocol.split(", ")}
    return names | {name.split(" ")[0] for name in split_names(str(row["library"]))}
