"""Try the conventions, and say which reproduce a reported value."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from iqbench.errors import IqbenchError, unknown_name
from iqbench.explain.convention import CROPS, FIELDS, GRAYS, MODCROPS, SCALES, Convention, label
from iqbench.explain.value import Reported
from iqbench.protocols.gray import check_gray_output

if TYPE_CHECKING:
    from iqbench.engine.run import Reporter
    from iqbench.explain.family import Family
    from iqbench.explain.files import Sources
    from iqbench.explain.pair import Pair
    from iqbench.protocols.view import GrayOutput

__all__ = ["METRICS", "changes", "explain"]

METRICS = ("psnr", "ssim", "ms-ssim", "ms-ssim-db", "psnr-b", "tv", "lpips")


def explain(
    reference: str | Path,
    output: str | Path,
    *,
    metric: str,
    value: str | float,
    scale: int | None = None,
    reference_name: str | None = None,
    output_name: str | None = None,
    match: str | Sequence[str] = (),
    gray_output: GrayOutput = "error",
    reporter: Reporter | None = None,
) -> pd.DataFrame:
    """Find out under which conventions a reported value comes out.

    Tried is everything within two changes (MS-SSIM, LPIPS: one) of a preset or of what a library
    does, as far as it can make a difference to these images.

    Parameters
    ----------
    reference, output
        Two files, or two folders whose images are paired by name; then values are means.
    metric
        ``psnr``, ``ssim``, ``ms-ssim``, ``ms-ssim-db``, ``psnr-b``, ``tv``, ``lpips``; a column of
        one of them stands for its metric.
    value
        As printed: ``"28.42"`` is 28.415 to 28.425. A float counts with the digits it prints.
    scale
        Of super-resolution; if not given, 2, 3, 4 and 8 are tried of PSNR and SSIM.
    reference_name, output_name, match
        Of folders: how names are paired, as in `iqbench.api.Evaluation`.
    gray_output
        What gray outputs of colour references hold: ``luma``, ``expand``; by default, ``error``,
        both readings are tried.
    reporter
        Is told how far it is.

    Returns
    -------
    DataFrame
        One row a convention: what reproduces the value first, with the fewest departures from a
        preset or library in front, of these the plainest, of these the nearest; then the others,
        nearest first. Columns: metric, protocol (the
        preset's name, or the nearest and what is different), library, value, difference,
        reproduces, departures, and the convention itself: colour, quantise, modcrop, crop,
        gray, brightness, range, pool.

    Raises
    ------
    IqbenchError
        If a file cannot be read, the two do not fit, or metric or value are none.
    """
    from iqbench.explain.anchors import library_anchors, preset_anchors
    from iqbench.explain.files import find_pairs, read_pair
    from iqbench.explain.grid import Facts, Grid

    if scale is not None and scale < 1:
        raise IqbenchError(f"the scale {scale} is below 1")
    reading = check_gray_output(gray_output)
    family = _family(metric)
    reported = Reported.parse(value, family.float_error)
    pairs = find_pairs(
        reference, output, reference_name=reference_name, output_name=output_name, match=match
    )
    scales = _scales(family.metric, scale)
    crops = sorted({*CROPS, *scales, *(number + 6 for number in scales)})
    modcrops = sorted({*MODCROPS, *scales})
    # Headers do not tell what quantising changes; the pixels of a folder may not fit into memory.
    facts = Facts()
    for _, sources in pairs:
        facts.add(read_pair(sources, modcrops, reading), modcrops)
    requests = family.requests()
    columns = [request.column.name for request in requests]
    grid = Grid(
        [
            *preset_anchors(requests, scales),
            *library_anchors([*columns, *family.forms], scales),
        ],
        {"crop": crops, "modcrop": modcrops, "gray": GRAYS, **family.values()},
        family.departures,
        lambda convention: family.affordable(convention, scale),
        facts,
    )
    with _threads(family):
        found = _measure(
            family,
            grid.conventions,
            [sources for _, sources in pairs],
            lambda sources: read_pair(sources, modcrops, reading),
            reporter,
        )
    rows = []
    for convention, statistics in found.items():
        number = family.close(statistics, convention)
        if math.isnan(number):
            continue
        named = grid.name(convention)
        rows.append(
            {
                "metric": convention.metric,
                "protocol": named.protocol,
                "library": named.libraries,
                "value": number,
                "difference": reported.difference(number),
                "reproduces": reported.matches(number),
                "departures": named.departures,
                **vars(convention),
            }
        )
    if not rows:
        raise IqbenchError(
            f"no convention of {metric!r} fits these images",
            hint="They are too small for it, or of two sizes: then give the scale",
        )
    return _sorted(_different(pd.DataFrame(rows)), scale, columns, reported.half)


def _measure(
    family: Family[Any],
    conventions: Sequence[Convention],
    pairs: Sequence[Sources],
    read: Callable[[Sources], Pair],
    reporter: Reporter | None,
) -> dict[Convention, list[Any]]:
    """Measure all pairs under the conventions that fit all of them."""
    found: dict[Convention, list[Any]] = {convention: [] for convention in conventions}
    if reporter is not None:
        reporter.begin("explain", len(pairs))
    for sources in pairs:
        pair = read(sources)
        for convention in sorted(found, key=lambda convention: convention.order):
            try:
                found[convention].append(family.measure(pair, convention))
            except IqbenchError:  # too small for it, or nothing left of it: nobody's value
                del found[convention]
        if reporter is not None:
            reporter.advance(1)
    return found


@contextmanager
def _threads(family: Family[Any]) -> Iterator[None]:
    """Let one thread compute what is a thousand small steps; more would wait for each other."""
    import torch

    before = torch.get_num_threads()
    if not family.networks:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def changes(frame: pd.DataFrame) -> pd.DataFrame:
    """Say what each single change of a setting does to the number.

    Parameters
    ----------
    frame
        What `explain` returned.

    Returns
    -------
    DataFrame
        Columns: of (the best match, then the default ``rgb``), change, value, effect (value minus
        that without the change), reproduces. Changes without effect are left out.
    """
    bases = [frame.iloc[0]]
    usual = _usual(frame)
    if usual is not None and usual.name != bases[0].name:
        bases.append(usual)
    rows = []
    for base in bases:
        start = Convention(**{name: base[name] for name in FIELDS})
        for row in frame.to_dict("records"):
            names = Convention(**{name: row[name] for name in FIELDS}).departures(start)
            # Infinite values have no difference.
            effect = row["value"] - base["value"] if row["value"] != base["value"] else 0.0
            if len(names) == 1 and effect != 0:
                rows.append(
                    {
                        "of": f"{base['metric']} under {base['protocol']}",
                        "change": label(names[0], row[names[0]]),
                        "value": row["value"],
                        "effect": effect,
                        "reproduces": row["reproduces"],
                        "order": (
                            base is not bases[0],
                            FIELDS.index(names[0]),
                            str(row[names[0]]).zfill(3),
                        ),
                    }
                )
    rows.sort(key=lambda row: row["order"])
    return pd.DataFrame(rows, columns=["of", "change", "value", "effect", "reproduces"])


def _usual(frame: pd.DataFrame) -> pd.Series[Any] | None:
    """Return the row of the metric itself under ``rgb``; None where it does not fit."""
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
    """Look up how a metric is explained."""
    from iqbench.explain.blocking import PsnrBFamily
    from iqbench.explain.error import PsnrFamily
    from iqbench.explain.learned import LpipsFamily
    from iqbench.explain.similarity import MsSsimFamily, SsimFamily
    from iqbench.explain.variation import TvFamily
    from iqbench.metrics._registry import resolve_metrics

    name = metric.strip()
    if name not in METRICS:
        name = resolve_metrics([name])[0].metric.name
    if name == "psnr":
        return PsnrFamily()
    if name == "ssim":
        return SsimFamily()
    if name in ("ms-ssim", "ms-ssim-db"):
        return MsSsimFamily(name)
    if name == "psnr-b":
        return PsnrBFamily()
    if name == "tv":
        return TvFamily()
    if name == "lpips":
        return LpipsFamily()
    raise unknown_name("metric that can be explained", name, METRICS)


def _scales(metric: str, scale: int | None) -> Sequence[int]:
    """Return the scales of super-resolution that are tried."""
    if scale is not None:
        return (scale,)
    # Elsewhere every crop would be computed anew, and few report it of super-resolution.
    return SCALES if metric in ("psnr", "ssim", "psnr-b") else ()


def _different(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out changes that make no difference: their value is that of something simpler."""
    simplest = frame.groupby("value")["departures"].transform("min")
    return frame[(frame["departures"] == 0) | (frame["departures"] == simplest)]


def _sorted(
    frame: pd.DataFrame, scale: int | None, columns: Sequence[str], half: float
) -> pd.DataFrame:
    """Put what reproduces the value first, the simplest in front; then the nearest.

    Of equally simple ones, those of the scale that was given come first, then what meets all
    printed digits without the allowance for float32, then presets, then what differs least from
    the metric itself on stored pixels: within the printed digits, nearer tells nothing.
    """
    matches = frame["reproduces"]
    preset = ~frame["protocol"].str.contains(" but ", regex=False)
    scaled = frame["protocol"].str.contains(rf":scale={scale}\b") if scale else True
    usual = vars(Convention(""))
    plain = sum(frame[name] != usual[name] for name in FIELDS if name != "metric")
    order = frame.assign(
        missed=~matches,
        first=frame["departures"].where(matches, 0),
        unscaled=matches & ~(matches & scaled),
        inexact=matches & (frame["difference"].abs() > half),
        unnamed=matches & ~preset,
        plain=(plain + ~frame["metric"].isin(columns)).where(matches, 0),
        distance=frame["difference"].abs(),
    ).sort_values(
        ["missed", "first", "unscaled", "inexact", "unnamed", "plain", "distance", "departures"],
        kind="stable",
    )
    return frame.loc[order.index].reset_index(drop=True)
