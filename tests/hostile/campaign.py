"""Run iqbench against hostile input, by seeds, and print how much was tried and what was wrong.

    python tests/hostile/campaign.py --kind images --seed 1 --count 10000 --minutes 30

Each kind is a module of this folder with `run(seed, count)`. A campaign calls it for one batch
after another, with successive seeds. A batch has a process of its own: one that crashes or hangs
counts as one wrong outcome, and the campaign goes on. What is wrong is printed with the seed of its
batch; `--kind KIND --seed SEED --count NUMBER` tries that batch again. Nothing is written but the
table on stdout. The exit code is 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import NamedTuple, Protocol

from children import Child

__all__ = ["KINDS", "Figures", "Run", "campaign", "main", "table"]


class Run(Protocol):
    """The function `run` of each kind: tries hostile input and sorts what becomes of it."""

    def __call__(
        self, seed: int, count: int, *, tell: Callable[[str], object] = ...
    ) -> Counter[str]:
        """Try one batch.

        Parameters
        ----------
        seed
            Of everything that is chosen by chance.
        count
            How many are tried.
        tell
            Is told of each wrong outcome.

        Returns
        -------
        Counter
            ``tried`` and each outcome, of which those in the module's `WRONG` may not be.
        """
        ...


class Kind(NamedTuple):
    """A kind of hostile input.

    Attributes
    ----------
    module
        Its module, which has `run` and `WRONG`.
    what
        What is tried.
    batch
        How many make a batch.
    count
        How many are tried where nobody says.
    starts_processes
        Whether it starts a process for each trial itself.
    """

    module: str
    what: str
    batch: int
    count: int
    starts_processes: bool = False


KINDS = {
    "images": Kind("images", "mutated images", 500, 20_000),
    "kills": Kind("kills", "killed runs", 10, 100, starts_processes=True),
    "tables": Kind("tables", "hostile tables", 50, 1_000),
    "yaml": Kind("yaml_files", "hostile YAML files", 100, 500, starts_processes=True),
    "archives": Kind("archives", "hostile archives", 200, 2_000),
    "names": Kind("names", "hostile names", 50, 300, starts_processes=True),
    "settings": Kind("settings", "strange processes", 50, 300, starts_processes=True),
}

BATCH_SECONDS = 900.0
"""A batch that takes longer hangs."""


@dataclass
class Figures:
    """What became of what was tried.

    Attributes
    ----------
    tried
        How many.
    outcomes
        How many ended in each way.
    wrong
        A line for each thing that was wrong.
    seconds
        How long it took.
    """

    tried: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


def _batch(module: str, seed: int, count: int) -> tuple[Counter[str], list[str]]:
    """Run a batch in this process, and return its counts and what was wrong."""
    wrong: list[str] = []
    run: Run = import_module(module).run
    counts = run(seed, count, tell=wrong.append)
    return counts, wrong


def _run_batch(kind: str, seed: int, count: int) -> tuple[Counter[str], list[str]]:
    """Run a batch in a process of its own."""
    module = KINDS[kind].module
    if KINDS[kind].starts_processes:
        return _batch(module, seed, count)
    ended = Child(_batch, module, seed, count).wait(BATCH_SECONDS)
    if ended.result is not None:
        counts, wrong = ended.result
        return counts, wrong
    how = "hangs" if ended.code is None else f"dies with exit code {ended.code}"
    return Counter(tried=count), [f"seed {seed}, {count} {kind}: {how}: {ended.stderr[-500:]}"]


def campaign(kind: str, *, seed: int, count: int, minutes: float) -> Figures:
    """Try one kind, batch after batch, until the count or the time is reached.

    Parameters
    ----------
    kind
        One of `KINDS`.
    seed
        Of the first batch; each one takes the next.
    count
        How many are tried at most, but for what a last batch has in excess.
    minutes
        How long a new batch may begin.
    """
    figures = Figures()
    started = time.monotonic()
    while figures.tried < count and time.monotonic() - started < minutes * 60:
        size = min(KINDS[kind].batch, count - figures.tried)
        counts, wrong = _run_batch(kind, seed, size)
        figures.tried += counts.pop("tried")
        figures.outcomes += counts
        for line in wrong:
            _say(f"{kind}: {line}")
        figures.wrong += wrong
        seed += 1
    figures.seconds = time.monotonic() - started
    return figures


def table(found: dict[str, Figures]) -> str:
    """Write the figures as a table in Markdown."""
    lines = ["| what | tried | survived | wrong | outcomes | minutes |"]
    lines.append("| --- | ---: | ---: | ---: | --- | ---: |")
    for kind, figures in found.items():
        outcomes = ", ".join(f"{name} {n:,}" for name, n in sorted(figures.outcomes.items()) if n)
        wrong = len(figures.wrong)
        lines.append(
            f"| {KINDS[kind].what} | {figures.tried:,} | {figures.tried - wrong:,} | {wrong:,} "
            f"| {outcomes} | {figures.seconds / 60:.1f} |"
        )
    return "\n".join(lines)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run campaigns as the arguments say; return the exit code."""
    parser = argparse.ArgumentParser(description="Run iqbench against hostile input.")
    parser.add_argument("--kind", choices=[*KINDS, "all"], default="all")
    parser.add_argument("--seed", type=int, default=1, help="of the first batch")
    parser.add_argument("--count", type=int, help="how many of each kind; by default its own")
    parser.add_argument("--minutes", type=float, default=10, help="for each kind")
    chosen = parser.parse_args(arguments)
    found = {}
    for kind in KINDS if chosen.kind == "all" else [chosen.kind]:
        count = KINDS[kind].count if chosen.count is None else chosen.count
        found[kind] = campaign(kind, seed=chosen.seed, count=count, minutes=chosen.minutes)
    _say(table(found))
    return int(any(figures.wrong for figures in found.values()))


if __name__ == "__main__":
    sys.exit(main())
