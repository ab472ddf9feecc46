"""Try conventions, and tell which reproduce a reported value."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from iqbench.errors import IqbenchError, unknown_name
from iqbench.explain.chance import expected_matches
from iqbench.explain.convention import (
    CROPS,
    FIELDS,
    GRAYS,
    MODCROPS,
    SCALES,
    Convention,
    encode,
    label,
)
from iqbench.explain.plausibility import KINDS, LIMITS
from iqbench.explain.threads import in_threads
from iqbench.protocols.gray import check_gray_output

if TYPE_CHECKING:
    from iqbench.engine.reporter import Reporter
    from iqbench.explain.evidence import Evidence, Number, Values
    from iqbench.explain.family import Family
    from iqbench.explain.files import Pairs
    from iqbench.explain.grid import Facts, Grid
    from iqbench.explain.survey import Survey, Trait
    from iqbench.protocols.view import GrayOutput

__all__ = ["METRICS", "changes", "explain"]

USUAL = ("rgb", "luma-studio", "luma-full")
"""Colours with which the plain metric is measured on every pair."""

WORKERS = 8

ENOUGH = 3
"""From so many values of images on, it is tried whether digits were cut off or rounded up."""

FAMILIES = {
    "psnr": ("error", "PsnrFamily"),
    "ssim": ("similarity", "SsimFamily"),
    "ms-ssim": ("multiscale", "MsSsimFamily", "ms-ssim"),
    "ms-ssim-db": ("multiscale", "MsSsimFamily", "ms-ssim-db"),
    "psnr-b": ("blocking", "PsnrBFamily"),
    "tv": ("variation", "TvFamily"),
    "lpips": ("learned", "LpipsFamily"),
    "dists": ("learned", "DistsFamily"),
    "niqe": ("learned", "NiqeFamily"),
    "fid": ("sets", "InceptionFamily", "fid"),
    "kid": ("sets", "InceptionFamily", "kid"),
}
"""The family of each metric: module, class, and the column where the class has several."""

METRICS = tuple(FAMILIES)


def explain(
    reference: str | Path,
    output: str | Path,
    *,
    metric: str | Sequence[str],
    value: Number | Sequence[Number] | None = None,
    values: Values | None = None,
    pattern: str | None = None,
    scale: int | None = None,
    reference_name: str | None = None,
    output_name: str | None = None,
    match: str | Sequence[str] = (),
    gray_output: GrayOutput = "error",
    try_all: bool = False,
    reporter: Reporter | None = None,
) -> pd.DataFrame:
    """Find out under which conventions reported values come out.

    Conventions within two changes (MS-SSIM, LPIPS: one) of a preset or of a library's default are
    tried, if they can make a difference on these images. Of a folder, all conventions are
    measured on a few images, and those that may fit on all. Conventions of a metric with networks
    are tried until one fits beyond chance, the most plausible first.

    Parameters
    ----------
    reference, output
        Two files, or two folders whose images are paired by name.
    metric
        ``psnr``, ``ssim``, ``ms-ssim``, ``ms-ssim-db``, ``psnr-b``, ``tv``, ``lpips``, ``dists``,
        ``niqe``, ``fid``, ``kid``; a column of one of them stands for its metric. Several
        metrics of one table share one cause.
    value
        The mean over all images as printed: ``"28.42"`` is 28.415 to 28.425. A float counts with
        the digits it prints. Of several metrics, one of each, in their order.
    values
        Values of single images, instead of the mean or besides: a file (see
        `iqbench.explain.values_file.read_values`), a mapping of image to value, or of metric to
        such a mapping. One convention must then meet all of them.
    pattern
        Regular expression for the lines of the file, with the groups ``name`` and ``value``.
    scale
        Of super-resolution; if not given, 2, 3, 4 and 8 are tried of PSNR and SSIM.
    reference_name, output_name, match
        Of folders: how names are paired, as in `iqbench.evaluate`.
    gray_output
        What gray outputs of colour references hold: ``luma``, ``expand``; by default, ``error``,
        both readings are tried.
    try_all
        Go on when a convention of a metric with networks fits, so that `changes` has all changes.
    reporter
        Receives the progress.

    Returns
    -------
    DataFrame
        One row a convention: what reproduces the values first, the most plausible in front; then
        the others, nearest first. Columns: metric, protocol (the preset's name, or the nearest and
        what is different), library, value (the mean), difference (the largest from what was
        reported), reproduces, exact (it gives all digits without an allowance for float32),
        plausibility (see `iqbench.explain.plausibility.KINDS`), chance (how many as plausible ones
        would be expected to fit by chance), coincidence (it fits, but chance may do that too),
        images (how many were measured; where that are not all, the mean is an estimate),
        departures, reported, best (the answer), and the convention itself: colour, quantise,
        modcrop, crop, gray, brightness, prepared, range, pool. Of several metrics, the rows of each
        follow one another. `iqbench.explain.answer` says it in words.

    Raises
    ------
    IqbenchError
        If a file cannot be read, the two do not fit, or metrics or values are none.
    """
    from iqbench.explain.evidence import gather
    from iqbench.explain.files import Pairs, find_pairs
    from iqbench.explain.joint import share_cause

    if scale is not None and scale < 1:
        raise IqbenchError(f"the scale {scale} is below 1")
    metrics = [metric] if isinstance(metric, str) else list(metric)
    means = _means(value, metrics)
    families = {name: _family(name) for name in metrics}
    if len(families) < len(metrics):
        raise IqbenchError("a metric is given twice")
    found = find_pairs(
        reference, output, reference_name=reference_name, output_name=output_name, match=match
    )
    modcrops = sorted({*MODCROPS, *(SCALES if scale is None else (scale,))})
    pairs = Pairs(found, modcrops, check_gray_output(gray_output))
    evidence = gather(
        {name: family.float_error for name, family in families.items()},
        means,
        values,
        pattern,
        pairs.names,
    )
    for item in evidence:
        if item.images and families[item.metric].whole_set:
            raise IqbenchError(
                f"{item.metric} has one value of all images, and none of single ones",
                hint="Give it as --value X",
            )
        _check_possible(item, families[item.metric].limits, pairs.names.images)
    workers = _workers()
    with _one_thread():
        facts, traits = look_at(pairs, workers, reporter)
    frames = []
    for item in evidence:
        family = families[item.metric]
        with nullcontext() if family.networks else _one_thread():
            row = _examine(
                family,
                item,
                pairs=pairs,
                facts=facts,
                traits=traits,
                scale=scale,
                try_all=try_all,
                workers=1 if family.networks else workers,
                reporter=reporter,
            )
            frames.append(row)
    return share_cause(frames)


def _means(
    value: Number | Sequence[Number] | None, metrics: Sequence[str]
) -> Sequence[Number | None]:
    """Return the mean of each metric, or None for each."""
    if value is None:
        return [None] * len(metrics)
    means = [value] if isinstance(value, str | float | int) else list(value)
    if len(means) != len(metrics):
        raise IqbenchError(
            f"{len(metrics)} metrics and {len(means)} values are given",
            hint="Give one value for each metric, in the same order, or none and --values FILE",
        )
    return means


def _check_possible(evidence: Evidence, limits: tuple[float, float], names: Sequence[str]) -> None:
    """Check that values are possible.

    Raises
    ------
    IqbenchError
        If one is outside the metric's range.
    """
    low, high = limits
    numbers = [("", evidence.mean)] if evidence.mean else []
    numbers += [(f" for {names[place]!r}", item) for place, item in evidence.images.items()]
    for place, item in numbers:
        if item.value - item.tolerance > high:
            where = f"above {high:g}"
        elif item.value + item.tolerance < low:
            where = f"below {low:g}"
        else:
            continue
        percent = high == 1 and item.value > 1
        raise IqbenchError(
            f"no {evidence.metric} is {where}, but {item.text} is given{place}",
            hint=f"If it is in per cent, write {item.text}%"
            if percent
            else "Is it the value of another metric?",
        )


def look_at(pairs: Pairs, workers: int, reporter: Reporter | None) -> tuple[Facts, list[Trait]]:
    """Read all pairs once; headers alone do not tell whether quantising changes pixels.

    Returns
    -------
    tuple
        Facts about all pairs together, and the traits of each pair.
    """
    from iqbench.explain.grid import Facts
    from iqbench.explain.survey import Trait

    facts = Facts(reordered=frozenset(pairs.partners))
    if reporter is not None:
        reporter.begin("explain, reading pairs", len(pairs))

    def look(place: int) -> tuple[Facts, Trait]:
        pair = pairs.read(place)
        own = Facts()
        own.add(pair, pairs.modcrops)
        if reporter is not None:
            reporter.advance(1)
        return own, Trait(pair.spread(), own.kinds(), pair.unusual())

    traits = []
    for own, trait in in_threads(look, range(len(pairs)), workers):
        facts.unite(own)
        traits.append(trait)
    return facts, traits


def _examine(
    family: Family[Any],
    evidence: Evidence,
    *,
    pairs: Pairs,
    facts: Facts,
    traits: Sequence[Trait],
    scale: int | None,
    try_all: bool,
    workers: int,
    reporter: Reporter | None,
) -> pd.DataFrame:
    """Return the rows of one metric."""
    survey, grid, columns = prepare(
        family,
        evidence,
        pairs=pairs,
        facts=facts,
        traits=traits,
        scale=scale,
        workers=workers,
        reporter=reporter,
    )
    # A pass through a network is costly: what is less plausible waits until nothing else fits.
    stages = grid.stages() if family.networks and not try_all else [grid.conventions]
    for number, stage in enumerate(stages, 1):
        survey.run(stage, later=sum(map(len, stages[number:])))
        if survey.found or stage is stages[-1]:
            frame = judge(survey, grid, evidence, scale=scale, columns=columns)
            if (frame["reproduces"] & ~frame["coincidence"]).any():
                break
    plausible = frame["reproduces"] & ~frame["coincidence"]
    plausible &= frame["plausibility"].isin(KINDS[:3])
    if not plausible.any() and len(evidence.images) >= ENOUGH:
        for reading in evidence.readings():
            survey.evidence = reading
            other = judge(survey, grid, reading, scale=scale, columns=columns)
            best = other.iloc[0]
            if best["reproduces"] and best["exact"] and best["plausibility"] == KINDS[0]:
                return other
    return frame


def prepare(
    family: Family[Any],
    evidence: Evidence,
    *,
    pairs: Pairs,
    facts: Facts,
    traits: Sequence[Trait],
    scale: int | None,
    workers: int,
    reporter: Reporter | None,
) -> tuple[Survey, Grid, list[str]]:
    """Return the survey of a metric's conventions, their grid, and the metric's own columns."""
    from iqbench.explain.anchors import library_anchors, preset_anchors
    from iqbench.explain.grid import Grid
    from iqbench.explain.survey import Survey

    scales = _scales(family.metric, scale)
    crops = sorted({*CROPS, *scales, *(number + 6 for number in scales)})
    requests = family.requests()
    columns = [request.column.name for request in requests]
    grid = Grid(
        [
            *preset_anchors(requests, scales),
            *library_anchors([*columns, *family.forms], scales),
        ],
        {
            "crop": crops,
            "modcrop": sorted({*MODCROPS, *scales}),
            "gray": GRAYS,
            **family.values(),
        },
        family.departures,
        lambda convention: family.affordable(convention, scale),
        replace(facts, averaged=evidence.mean is not None),
        scales=scales,
        mistakes=family.mistakes,
        single=family.networks,
    )
    usual = [grid.facts.collapse(Convention(columns[0], colour=colour)) for colour in USUAL]
    survey = Survey(
        family,
        pairs=pairs,
        evidence=evidence,
        traits=traits,
        doubtful=grid.doubtful,
        usual=usual,
        workers=workers,
        reporter=reporter,
    )
    return survey, grid, columns


def judge(
    survey: Survey, grid: Grid, evidence: Evidence, *, scale: int | None, columns: Sequence[str]
) -> pd.DataFrame:
    """Find which conventions reproduce what was reported.

    Parameters
    ----------
    survey
        What was measured.
    grid
        The conventions that were tried.
    evidence
        What was reported.
    scale
        Of super-resolution, where it was given.
    columns
        Of the metric itself.

    Returns
    -------
    DataFrame
        As of `explain`, the rows of one metric.

    Raises
    ------
    IqbenchError
        If no convention fits the images.
    """
    frame = _rows(survey, grid, evidence)
    if frame.empty:
        raise IqbenchError(
            f"no convention of {evidence.metric!r} fits these images",
            hint="They are too small for it, or output and reference differ in size. If that is "
            "due to super-resolution, give --scale",
        )
    frame = _with_chance(_different(frame), survey, evidence)
    return _sorted(frame, scale, columns)


def _rows(survey: Survey, grid: Grid, evidence: Evidence) -> pd.DataFrame:
    """Return a row for each convention that was measured."""
    rows, reported = [], str(evidence)
    for convention, known in survey.found.items():
        number = survey.value(convention)
        if math.isnan(number):
            continue
        named = grid.name(convention)
        worst, agrees = survey.worst(convention)
        reproduces = agrees and survey.complete(convention)
        exact = reproduces and _prints(survey, convention, evidence)
        libraries, kind, departures = named.libraries, named.plausibility, named.departures
        if reproduces and not exact and not grid.single:
            # Float32 explains the last digit: of libraries that use it that is expected, of others
            # it is one more change.
            libraries = named.single
            departures += not libraries
            kind = kind if libraries else KINDS[min(KINDS.index(kind) + 1, len(KINDS) - 1)]
        rows.append(
            {
                "metric": convention.metric,
                "protocol": named.protocol,
                "library": libraries,
                "value": number,
                "difference": worst,
                "reproduces": reproduces,
                "exact": exact,
                "plausibility": kind,
                "images": len(known),
                "departures": departures,
                "reported": reported,
                **convention._asdict(),
            }
        )
    return pd.DataFrame(rows)


def _prints(survey: Survey, convention: Convention, evidence: Evidence) -> bool:
    """Tell whether a convention gives all digits without an allowance for float32."""
    values = survey.images(convention, list(evidence.images))
    exact = all(
        reported.prints(value)
        for reported, value in zip(evidence.images.values(), values.tolist(), strict=True)
    )
    return exact and (evidence.mean is None or evidence.mean.prints(survey.value(convention)))


def _with_chance(frame: pd.DataFrame, survey: Survey, evidence: Evidence) -> pd.DataFrame:
    """Say of each row how many would fit by chance among those that are as plausible.

    All conventions are compared on the pairs that were measured first. To give all digits is less
    likely by chance than to give them within what float32 may be off by.
    """
    shown = [place for place in survey.screened if place in evidence.images]
    numbers = [survey.measured(row, shown) for row in _conventions(frame)]
    table = np.array(numbers).reshape(len(frame), len(shown))
    reported = [evidence.images[place] for place in shown]
    if evidence.mean is not None:
        table = np.column_stack([frame["value"], table])
        reported.insert(0, evidence.mean)
    ranks = frame["plausibility"].map(KINDS.index).to_numpy()
    keys = list(zip(ranks, frame["exact"], strict=True))
    chances = {
        (rank, exact): expected_matches(
            table[ranks <= rank],
            [item.value for item in reported],
            [item.exact if exact else item.tolerance for item in reported],
        )
        for rank, exact in sorted(set(keys))
    }
    chance = [chances[key] for key in keys]
    limits = frame["plausibility"].map(LIMITS)
    frame = frame.assign(chance=chance, coincidence=frame["reproduces"] & (limits < chance))
    return frame.assign(best=False)


def _conventions(frame: pd.DataFrame) -> list[Convention]:
    """Return the convention of each row."""
    columns = (frame[name].tolist() for name in FIELDS)
    return [Convention._make(row) for row in zip(*columns, strict=True)]


def _workers() -> int:
    """Return how many pairs may be measured at a time: as many as torch may use threads."""
    import torch

    return max(1, min(WORKERS, torch.get_num_threads()))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Limit torch to one thread: a thousand small steps are slower in several."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def changes(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the effect of each single change of a setting.

    Parameters
    ----------
    frame
        What `explain` returned.

    Returns
    -------
    DataFrame
        Columns: of (the best match, then the default ``rgb``; of each metric), change, value,
        effect (value minus that without the change), reproduces, images (how many were measured:
        where that are not all, the effect is an estimate). The largest effects come first;
        changes without effect are left out.
    """
    names = ["of", "change", "value", "effect", "reproduces", "images"]
    parts = [_changes(part) for _, part in frame.groupby("reported", sort=False)]
    return pd.DataFrame([row for part in parts for row in part], columns=names)


def _changes(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the changes of one metric."""
    bases = [frame.iloc[0]]
    usual = _usual(frame)
    if usual is not None and usual.name != bases[0].name:
        bases.append(usual)
    codes = encode(_conventions(frame), {})
    rows: list[dict[str, Any]] = []
    for base in bases:
        place = frame.index.get_loc(base.name)
        differs = codes != codes[place]
        found: list[dict[str, Any]] = []
        for other in np.flatnonzero(differs.sum(1) == 1).tolist():
            row = frame.iloc[other]
            # The difference of infinite values is NaN.
            effect = row["value"] - base["value"] if row["value"] != base["value"] else 0.0
            if effect != 0:
                name = FIELDS[int(differs[other].argmax())]
                found.append(
                    {
                        "of": f"{base['metric']} under {base['protocol']}",
                        "change": label(name, row[name]),
                        "value": row["value"],
                        "effect": effect,
                        "reproduces": row["reproduces"],
                        "images": row["images"],
                    }
                )
        rows += sorted(found, key=lambda row: -abs(row["effect"]))
    return rows


def _usual(frame: pd.DataFrame) -> pd.Series[Any] | None:
    """Return the row of the plain metric under ``rgb``; None if it does not fit the images."""
    best = str(frame.iloc[0]["metric"]).partition(", ")[0]
    for metric in (*METRICS, best):
        usual = Convention(metric)
        rows = frame
        for name in FIELDS:
            rows = rows[rows[name] == getattr(usual, name)]
        if len(rows):
            return rows.iloc[0]
    return None


def _family(metric: str) -> Family[Any]:
    """Return the family of conventions of a metric; only its module is imported."""
    name = metric.strip()
    if name not in FAMILIES:
        from iqbench.metrics._registry import resolve_metrics

        name = resolve_metrics([name])[0].metric.name
    if name not in FAMILIES:
        raise unknown_name("metric that can be explained", name, METRICS)
    module, class_name, *columns = FAMILIES[name]
    family: Family[Any] = getattr(import_module(f"iqbench.explain.{module}"), class_name)(*columns)
    return family


def _scales(metric: str, scale: int | None) -> Sequence[int]:
    """Return the scales of super-resolution that are tried."""
    if scale is not None:
        return (scale,)
    # Other metrics would compute every crop anew, and few papers on super-resolution report them.
    return SCALES if metric in ("psnr", "ssim", "psnr-b") else ()


def _different(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out changes that make no difference: a simpler convention has the same value."""
    simplest = frame.groupby(["value", "images"])["departures"].transform("min")
    kept = (frame["departures"] == 0) | (frame["departures"] == simplest)
    return frame[kept | (frame["plausibility"] == KINDS[0])]


def _sorted(frame: pd.DataFrame, scale: int | None, columns: Sequence[str]) -> pd.DataFrame:
    """Sort what reproduces the values by plausibility; after it, the nearest.

    Of equally plausible ones, the simplest come first, then those of the scale that was given,
    then what meets all printed digits without the allowance for float32, then presets, then what
    differs least from the metric itself on stored pixels: within the printed digits, nearer tells
    nothing.
    """
    matches = frame["reproduces"]
    preset = ~frame["protocol"].str.contains(" but ", regex=False)
    scaled = frame["protocol"].str.contains(rf":scale={scale}\b") if scale else True
    usual = Convention("")._asdict()
    plain = sum(frame[name] != usual[name] for name in FIELDS if name != "metric")
    order = frame.assign(
        missed=~matches,
        rank=frame["plausibility"].map(KINDS.index).where(matches, 0),
        first=frame["departures"].where(matches, 0),
        unscaled=matches & ~(matches & scaled),
        inexact=matches & ~frame["exact"],
        unnamed=matches & ~preset,
        plain=(plain + ~frame["metric"].isin(columns)).where(matches, 0),
        distance=frame["difference"].abs(),
    ).sort_values(
        [
            "missed",
            "rank",
            "first",
            "unscaled",
            "inexact",
            "unnamed",
            "plain",
            "distance",
            "departures",
        ],
        kind="stable",
    )
    return frame.loc[order.index].reset_index(drop=True)
