"""Join opinions and scores: one row per image and method, or per choice between two outputs."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd

from iqbench.correlation.metric_table import MetricTable
from iqbench.errors import IqbenchError

__all__ = [
    "CHOICE",
    "choices_of_images",
    "opinions_alone",
    "opinions_of_choices",
    "opinions_of_file",
    "opinions_of_images",
    "references_of_images",
    "unmatched_opinions",
    "unscored_opinions",
]

CHOICE = "choice"
"""Direction of an opinion that is the share of people who preferred this output of two."""

_NAMED = 3  # ids that a message gives as examples
_SUFFIX = re.compile(r"\.(png|bmp|jpe?g|tiff?|webp|p[gnp]m)$", re.IGNORECASE)
_FACTS = ["mos", "mos_std", "raters", "mos_direction", "distortion"]


def opinions_of_images(
    table: MetricTable, images: pd.DataFrame, raters: float | None = None
) -> pd.DataFrame:
    """Return the opinions that are part of the datasets.

    Parameters
    ----------
    table
        The scores.
    images
        From ``iqbench.results.read.load_images``.
    raters
        The number of opinions per image, if it is known.

    Returns
    -------
    pandas.DataFrame
        As `iqbench.correlation.human_opinion.opinion_agreement` takes it; without rows if no image
        has an opinion.
    """
    judged = images["mos"].notna() & (images["mos_direction"] != CHOICE)
    known = images[judged].assign(raters=np.nan if raters is None else raters)
    keys = ["dataset", "method", "image"]
    known = known.astype(dict.fromkeys(keys, str))[[*keys, *_FACTS]]
    return table.values.reset_index().merge(known, on=keys)


def unscored_opinions(table: MetricTable, images: pd.DataFrame) -> list[str]:
    """Count the opinions of datasets whose images have no score.

    Parameters
    ----------
    table, images
        As for `opinions_of_images`.

    Returns
    -------
    list of str
        A sentence per dataset.
    """
    keys = ["dataset", "method", "image"]
    judged = images[images["mos"].notna() & (images["mos_direction"] != CHOICE)]
    judged = judged[keys].astype(str)
    judged = judged[judged["dataset"].isin(set(table.values.index.get_level_values("dataset")))]
    scored = pd.MultiIndex.from_frame(judged).isin(table.values.index)
    judged = judged.assign(lost=~scored)
    return [
        f"{part['lost'].sum()} of {len(part)} opinions of {dataset} are left out, as their images "
        "have no score"
        for dataset, part in judged.groupby("dataset")
        if part["lost"].any()
    ]


def choices_of_images(images: pd.DataFrame) -> pd.DataFrame:
    """Return the choices between two outputs that are part of the datasets.

    Parameters
    ----------
    images
        From ``iqbench.results.read.load_images``.

    Returns
    -------
    pandas.DataFrame
        One row per choice: dataset, image, first, second (methods), judge (share of people who
        chose the second) and distortion; for `opinions_of_choices`.

    Raises
    ------
    IqbenchError
        If an image does not have exactly two outputs to choose from.
    """
    rows = images[images["mos_direction"] == CHOICE].sort_values(["dataset", "image", "method"])
    rows = rows.astype(dict.fromkeys(["dataset", "method", "image"], str))
    keys = ["dataset", "image"]
    sizes = rows.groupby(keys).size()
    if (sizes != 2).any():
        number = int((sizes != 2).to_numpy().argmax())
        dataset, image = sizes.index[number]
        raise IqbenchError(
            f"image {image!r} of {dataset!r} has choices of {sizes.iloc[number]} outputs",
            hint="A choice is between two: score the whole dataset, with both",
        )
    first, second = rows.iloc[::2], rows.iloc[1::2]
    return first[[*keys, "distortion"]].assign(
        first=first["method"],
        second=second["method"].to_numpy(),
        judge=second["mos"].to_numpy(),
    )


def references_of_images(images: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Find the images that share a reference.

    Parameters
    ----------
    images
        From ``iqbench.results.read.load_images``.

    Returns
    -------
    dict
        By dataset and image, the digest of the reference; only for datasets with several images
        per reference.
    """
    known = images.loc[images["reference_digest"].notna(), ["dataset", "image", "reference_digest"]]
    known = known.astype(str).drop_duplicates(["dataset", "image"])
    several = known.duplicated(["dataset", "reference_digest"], keep=False)
    known = known[known["dataset"].isin(set(known["dataset"][several]))]
    return {(dataset, image): digest for dataset, image, digest in known.itertuples(index=False)}


def opinions_of_file(
    table: MetricTable, rows: pd.DataFrame, direction: str, raters: float | None = None
) -> pd.DataFrame:
    """Join a file of opinions with the scores of its images.

    Parameters
    ----------
    table
        The scores.
    rows
        From ``iqbench.results.opinion.read_opinion``, with image and mos, and if needed with
        dataset and method.
    direction
        ``higher`` if high opinions are good, or ``lower``.
    raters
        The number of opinions per image, if it is not in the file.

    Returns
    -------
    pandas.DataFrame
        As `opinions_of_images`; other columns of numbers in the file are metrics too.

    Raises
    ------
    IqbenchError
        If a row names no image, an image is named twice, no image has scores, or a row matches
        several outputs.
    """
    keys, rows = _keys(rows, table, ["dataset", "method", "image"])
    found = table.values.reset_index().merge(_facts(rows, direction, raters), on=keys)
    _refuse_none(found, rows, table)
    several = found.duplicated(keys)
    if several.any():
        row = found[several].iloc[0]
        missing = "method" if "method" not in keys else "dataset"
        raise IqbenchError(
            f"the opinion of image {row['image']!r} could be of more than one {missing}",
            hint=f"Add a column {missing!r} to the file, or choose one by --{missing}",
        )
    return found


def opinions_alone(
    rows: pd.DataFrame,
    metrics: list[str],
    direction: str,
    raters: float | None = None,
    name: str = "file",
) -> tuple[MetricTable, pd.DataFrame]:
    """Use metrics and opinions of the same file.

    Parameters
    ----------
    rows, metrics
        From ``iqbench.results.opinion.read_opinion``. Rows of one image are resampled together in
        a bootstrap; without a column image, each row is its own image.
    direction, raters
        As for `opinions_of_file`.
    name
        The name of the dataset, if the file has none.

    Returns
    -------
    tuple of MetricTable and pandas.DataFrame
        The metrics alone, and the table of `opinions_of_file`. Datasets are not pooled, because it
        is not known whether their values were computed in the same way.
    """
    defaults = {"dataset": name, "method": "", "image": [str(k) for k in range(len(rows))]}
    missing = {key: value for key, value in defaults.items() if key not in rows}
    table = _facts(rows, direction, raters).assign(**missing)
    index = pd.MultiIndex.from_frame(table[list(defaults)].astype(str))
    values = table[metrics].set_axis(index)
    return MetricTable(values, [[text] for text in sorted(set(index.get_level_values(0)))]), table


def opinions_of_choices(
    table: MetricTable | None, rows: pd.DataFrame, metrics: list[str], name: str = "file"
) -> tuple[pd.DataFrame, list[str]]:
    """Arrange the two outputs of each choice in one row.

    Parameters
    ----------
    table
        Scores of the two outputs as two methods; None if the file has the values, in columns that
        end with ``_0`` and ``_1``.
    rows
        With judge, the share of people who chose the second output; and image, first and second.
        Without the latter two, there must be two methods, which are taken in alphabetical order.
    metrics
        Other columns of numbers of the file.
    name
        The name of the dataset, if the file has none.

    Returns
    -------
    tuple of pandas.DataFrame and list of str
        The table for `iqbench.correlation.forced_choice.choice_agreement`, and the metrics' names.

    Raises
    ------
    IqbenchError
        If the two outputs of a choice are ambiguous.
    """
    rows = rows.assign(distortion=rows.get("distortion"))
    paired = [text[:-2] for text in metrics if text.endswith("_0") and f"{text[:-2]}_1" in metrics]
    if table is None:
        defaults = {"dataset": name, "image": [str(k) for k in range(len(rows))]}
        missing = {key: value for key, value in defaults.items() if key not in rows}
        return rows.assign(**missing), paired
    methods = sorted(set(table.values.index.get_level_values("method")))
    if "first" not in rows or "second" not in rows:
        if len(methods) != 2:
            raise IqbenchError(
                f"choices are between two methods, and there are {len(methods)}",
                hint="Add columns 'first' and 'second' to the file, or choose two by --method",
            )
        rows = rows.assign(first=methods[0], second=methods[1])
    _, named = _keys(rows, table, ["dataset", "image", "first", "second"])
    rows = named
    values = table.values.reset_index()
    for number, role in enumerate(("first", "second")):
        names = {text: f"{text}_{number}" for text in table.names} | {"method": role}
        side = values.rename(columns=names)
        rows = rows.merge(side, on=[*{"dataset", "image"}.intersection(rows.columns), role])
    _refuse_none(rows, named, table)
    return rows, table.names


def _facts(rows: pd.DataFrame, direction: str, raters: float | None) -> pd.DataFrame:
    """Rename columns as in the table of images, and add values that the file does not have."""
    rows = rows.rename(columns={"std": "mos_std", "n": "raters"})
    defaults = {"mos_std": np.nan, "raters": raters, "distortion": None}
    missing = {key: value for key, value in defaults.items() if key not in rows}
    table = rows.assign(mos_direction=direction, **missing)
    return table.astype({"raters": "float64", "mos_std": "float64"})


def _keys(
    rows: pd.DataFrame, table: MetricTable, wanted: list[str]
) -> tuple[list[str], pd.DataFrame]:
    """Return the columns that identify a row, and the rows with the image ids of the scores."""
    if "image" not in rows:
        raise IqbenchError(
            "the file of opinions does not name the image of each opinion",
            hint="Name the column by --mos-column image=NAME",
        )
    known = set(table.values.index.get_level_values("image"))
    ids = [text if text in known else _SUFFIX.sub("", str(text)) for text in rows["image"]]
    rows = rows.assign(image=ids)
    keys = [key for key in wanted if key in rows]
    twice = rows[rows.duplicated(keys)]
    if len(twice):
        raise IqbenchError(
            f"the file of opinions has image {twice['image'].iloc[0]!r} more than once",
            hint=f"One row is needed for each {' and '.join(keys)}",
        )
    return keys, rows


def unmatched_opinions(table: MetricTable, rows: pd.DataFrame) -> list[str]:
    """Count the opinions of a file without a scored image, and the scored images without opinion.

    Parameters
    ----------
    table, rows
        As for `opinions_of_file`.

    Returns
    -------
    list of str
        Sentences; empty if all match.
    """
    keys, rows = _keys(rows, table, ["dataset", "method", "image"])
    places = pd.MultiIndex.from_frame(table.values.index.to_frame(index=False)[keys])
    named = pd.MultiIndex.from_frame(rows[keys])
    lost = rows.loc[~named.isin(places), "image"]
    notes = []
    if len(lost):
        examples = ", ".join(str(image) for image in lost[:_NAMED])
        rest = ", ..." if len(lost) > _NAMED else ""
        notes.append(
            f"{len(lost)} of {len(rows)} opinions belong to no scored image and are left out: "
            f"{examples}{rest}"
        )
    bare = int((~places.isin(named)).sum())
    if bare:
        notes.append(f"{bare} of {len(places)} scored images have no opinion and are left out")
    return notes


def _refuse_none(found: pd.DataFrame, rows: pd.DataFrame, table: MetricTable) -> None:
    """Raise an error for a file without an opinion of a scored image."""
    if not found.empty:
        return
    places = table.values.index.to_frame(index=False).astype(str)
    for key, what in (("dataset", "dataset"), ("method", "method"), ("first", "method")):
        if key in rows and not set(rows[key]) & set(places[what]):
            raise IqbenchError(
                f"no {what} of the file of opinions has scores",
                hint=f"It names {rows[key].iloc[0]!r}; scored are "
                f"{', '.join(sorted(set(places[what]))[:_NAMED])}",
            )
    theirs, ours = list(rows["image"].astype(str)), sorted(set(places["image"]))
    raise IqbenchError("no image of the file of opinions has scores", hint=_likeness(theirs, ours))


def _likeness(theirs: list[str], ours: list[str]) -> str:
    """Show one id of the file and one of the results; if possible a pair with one difference."""
    ways: dict[str, Callable[[str], str]] = {
        "in zeros at the beginning of numbers, which spreadsheets remove": lambda text: re.sub(
            r"(?<![0-9])0+(?=[0-9])", "", text
        ),
        "in upper and lower case": str.casefold,
        "in the folder": lambda text: text.rpartition("/")[2],
        "in the suffix": lambda text: text.rpartition(".")[0] or text,
    }
    for way, plain in ways.items():
        known = {plain(text): text for text in reversed(ours)}
        for text in theirs:
            if plain(text) in known:
                other = known[plain(text)]
                return f"They differ {way}: the file has {text!r}, the results {other!r}"
    return (
        f"Name images as the results do: the file has {theirs[0]!r}, the results {ours[0]!r}; see"
        " `iqbench export`"
    )
