"""Hostile YAML: datasets and protocols files that are damaged, absurd or made to do harm.

`run(seed, count)` writes that many files, and has commands read them. Each must be read, or be
refused in a sentence, soon and in little memory; no command that it holds is run.
"""

from __future__ import annotations

import random
import resource
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from children import Child, command, problem
from PIL import Image

__all__ = ["WRONG", "run"]

WRONG = ("wrong",)
"""Outcomes that may not be. The others: ``read`` and ``refused``, in a sentence."""

MEMORY = 2**30
"""Bytes by which a command on a file of less than a megabyte may grow."""

SECONDS = 30.0

DATASETS: dict[str, Any] = {
    "root": "data",
    "datasets": {
        "Set": {
            "task": "super-resolution",
            "scale": 2,
            "protocol": "sr-y:scale=2",
            "images": 1,
            "home": "https://example.org",
            "licence": "CC0",
            "citation": "Nobody 2024",
            "output_name": "{id}",
            "metrics": ["psnr", "tv-ratio"],
            "data": {"layout": "folder", "references": "hr", "files": ["*.png"], "id": "{id}"},
        },
        "Pairs": {"task": "deblurring", "data": {"layout": "csv", "file": "pairs.csv"}},
    },
}
PROTOCOLS: dict[str, Any] = {
    "mine": {
        "version": 1,
        "summary": "A protocol",
        "citation": "Nobody 2024",
        "parameters": ["scale"],
        "fidelity": {"colour": "luma-full", "quantise": True, "crop": "scale", "modcrop": 2},
        "perception": {"colour": "rgb"},
        "metrics": ["psnr", "tv-ratio"],
        "peak": 255,
    },
    "other": {
        "version": 2,
        "summary": "Another",
        "citation": "Nobody 2025",
        "fidelity": {"colour": "rgb", "brightness": "reference"},
        "perception": {"colour": "rgb"},
        "views": {"gmsd": {"colour": "luma-full"}},
    },
}

_LEVELS = ("[{0}, {0}]", "{{a: {0}, b: {0}}}", "{{<<: [{0}, {0}], c: 1}}", "!!set {{? {0}, ? a}}")
"""How each level of a bomb is made of the one below."""


def _inline_bomb(level: str, depth: int) -> str:
    """Write a bomb that stands where any value can stand."""
    levels = ["&b0 {x: y}", *(f"&b{n} {level.format(f'*b{n - 1}')}" for n in range(1, depth))]
    return f"[{', '.join(levels)}]"


_SCALARS = (
    *(_inline_bomb(level, depth) for level in _LEVELS for depth in (3, 30)),
    *("~", "true", "no", "-1", "0", "1e999", ".nan", "-.inf", "0x7fffffffffffffff", "1:59:59"),
    *("9" * 5000, "1" * 100_000, "''", "'\\0'", '"\\x1b[2J"', '"\\u202e"', '"\\ud800"', "=", "<<"),
    *("2024-13-99", "2024-01-01", "2024-01-01T99:99:99Z", "!!binary aGk=", "!!binary '*'", "x" * 9),
    *("!!python/object/apply:os.system ['touch pwned']", "!!python/name:os.system", "!!str 1"),
    *("!!python/object/new:os._exit [9]", "!!set {a, b}", "!!omap [a: 1]", "!!float x", "!!int ''"),
    *(
        "../../etc/passwd",
        "/dev/zero",
        "~nobody/x",
        "'{id'",
        "'{0.__class__}'",
        "'%n%s'",
        "*",
        "&a",
    ),
    *("[" * 300 + "]" * 300, "{a: " * 200 + "}" * 200, "[[]]", "{}", "{? {a: b} : c}", "|", ">"),
    *("x" * 1_000_000, "é" * 300, "'=cmd|calc'", "'<script>alert(1)</script>'", "2.5", "[1, a, ~]"),
)
_WHOLE: tuple[Callable[[random.Random], bytes], ...] = (
    lambda chance: _bomb(chance, chance.choice(_LEVELS)),
    lambda chance: _bomb(chance, "{{? {0} : 1, ? [{0}] : 2}}"),
    lambda chance: _bomb(chance, "{{<<: {0}, c: {0}}}"),
    lambda chance: b"[" * chance.choice((50, 900, 3_000, 100_000)),
    lambda chance: b"{a: " * chance.choice((50, 900, 3_000, 100_000)),
    lambda chance: b"- " * chance.choice((50, 900, 3_000, 100_000)) + b"x",
    lambda chance: b"? " * chance.choice((50, 900, 3_000, 100_000)) + b"x",
    lambda chance: b"&a [*a]",
    lambda chance: b"&a {datasets: *a, root: *a}",
    lambda chance: b"datasets: &a {b: *a}",
    lambda chance: b"datasets: &a {data: {layout: folder, references: *a}}",
    lambda chance: b"a: *nowhere",
    lambda chance: b"a: 1\na: 2",
    lambda chance: b"a: 1\n---\na: 2\n...\n",
    lambda chance: b"%YAML 9.9\n---\na: 1",
    lambda chance: b"%TAG ! tag:example.org,2000:\n---\n!a b",
    lambda chance: b"",
    lambda chance: b"\0",
    lambda chance: b"\t- a\n\t- b",
    lambda chance: b"\xff\xfe" + "a: 1".encode("utf-16-le"),
    lambda chance: b"\xef\xbb\xbfdatasets: {}",
    lambda chance: chance.randbytes(chance.choice((1, 30, 3000))),
    lambda chance: "\n".join(f"k{n}: {n}" for n in range(20_000)).encode(),
    lambda chance: b"datasets: {" + b"x" * 500_000 + b": {}}",
    lambda chance: b"datasets:\n" + b"".join(b"  a%d: *a%d\n" % (n, n) for n in range(100)),
)


def _bomb(chance: random.Random, level: str) -> bytes:
    """Write a billion laughs: each level names the one before twice."""
    lines = ["a0: &a0 lol"]
    depth = chance.choice((5, 25, 60))
    lines += [f"a{n}: &a{n} {level.format(f'*a{n - 1}')}" for n in range(1, depth)]
    key = chance.choice(("root", "datasets", "mine"))
    return "\n".join([*lines, f"{key}: *a{depth - 1}"]).encode()


def _places(node: Any) -> list[tuple[Any, Any]]:
    """List the containers and keys of everything in a document."""
    found = []
    for key in node if isinstance(node, dict) else range(len(node)):
        found.append((node, key))
        if isinstance(node[key], dict | list):
            found += _places(node[key])
    return found


def _with_another_value(document: dict[str, Any], chance: random.Random) -> bytes:
    """Put a hostile value, or the value of another key, where one was; or rename a key."""
    changed = deepcopy(document)
    mark = "HOSTILE"
    scalar = chance.choice(_SCALARS)
    for _ in range(chance.choice((1, 1, 2))):
        node, key = chance.choice(_places(changed))
        what = chance.randrange(4)
        if what == 0 and isinstance(node, dict):
            node[mark] = node.pop(key)
        elif what == 1:
            other, name = chance.choice(_places(document))
            node[key] = deepcopy(other[name])
        else:
            node[key] = mark
    return yaml.safe_dump(changed, sort_keys=False, width=10**9).replace(mark, scalar).encode()


def _damaged(document: dict[str, Any], chance: random.Random) -> bytes:
    """Change, lose, double or insert bytes."""
    content = yaml.safe_dump(document, sort_keys=False).encode()
    for _ in range(chance.choice((1, 1, 3))):
        start = chance.randrange(len(content))
        stop = min(len(content), start + chance.choice((1, 1, 5, 40)))
        piece = chance.choice(
            (
                b"",
                bytes([chance.randrange(256)]),
                content[start:stop] * 2,
                b"\t",
                b": ",
                b"*a",
                b"&a",
            )
        )
        content = content[:start] + piece + content[stop:] or b"x"
    return content


def hostile(kind: str, chance: random.Random) -> bytes:
    """Make a hostile file of ``datasets`` or ``protocols``."""
    document = DATASETS if kind == "datasets" else PROTOCOLS
    what = chance.randrange(4)
    if what == 0:
        return chance.choice(_WHOLE)(chance)
    if what == 1:
        return _damaged(document, chance)
    return _with_another_value(document, chance)


def limited(words: list[str], folder: str) -> None:
    """Run a command in a process that may grow by so much and no more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    command(words, folder)


def _commands(kind: str, chance: random.Random) -> list[str]:
    """Choose a command that reads the file."""
    if kind == "datasets":
        words: tuple[list[str], ...] = (
            ["datasets", "list"],
            ["datasets", "show", "Set"],
            ["datasets", "verify", "Set"],
            ["evaluate", "--dataset", "Set", "--method", "out"],
        )
        return [*chance.choice(words), "--datasets-file", "datasets.yaml"]
    spec = chance.choice(("mine:scale=1", "other", "mine"))
    return chance.choice(
        (
            ["protocols", "list"],
            ["protocols", "show", spec],
            ["measure", "data/hr/a.png", "out/a.png", "--metric", "psnr", "--protocol", spec],
            ["evaluate", "--reference", "data/hr", "--method", "out", "--protocol", spec],
        )
    )


def run(
    seed: int, count: int, *, tell: Callable[[str], object] = lambda line: None
) -> Counter[str]:
    """Try hostile YAML; see `campaign.Run`."""
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="hostile-yaml-") as name:
        folder = Path(name)
        pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)
        for place in ("data/hr", "out"):
            (folder / place).mkdir(parents=True)
            Image.fromarray(pixels).save(folder / place / "a.png")
        for number in range(count):
            chance = random.Random(f"{seed}/{number}")
            kind = chance.choice(("datasets", "protocols"))
            file = folder / f"{kind}.yaml"
            file.write_bytes(hostile(kind, chance))
            words = _commands(kind, chance)
            ended = Child(limited, words, name).wait(SECONDS)
            # What is wrong with a value inside may name the dataset or the protocol instead.
            why = problem(ended, codes=(0, 1, 2, 3))
            if (folder / "pwned").exists():
                why = "a command in the file was run"
            counts["tried"] += 1
            counts["wrong" if why else "refused" if ended.code in (2, 3) else "read"] += 1
            if why:
                tell(f"wrong: seed {seed}, file {number}, {' '.join(words)}: {why}")
            file.unlink()
            shutil.rmtree(folder / "results", ignore_errors=True)
    return counts
