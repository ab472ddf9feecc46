"""Run commands of iqbench as if the packages that score images were not installed.

``python run_without_scoring.py FOLDER`` makes results folders there, runs the commands and prints,
as JSON, what each says. tests/tables/test_without_scoring.py reads it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from iqbench.packages import EXTRAS, SCORING

MISSING = {*SCORING, *EXTRAS, "triton"}

GOLDEN = (
    *("leaderboard.table.txt", "leaderboard.json.txt", "correlate.table.txt", "check.table.txt"),
    *("check.xml.txt", "compare-methods.table.txt", "export.csv.txt", "export.parquet.txt"),
)
"""Names of expected/: each reading command once."""

READING = {
    "datasets": ("datasets", "list"),
    "protocols": ("protocols", "list"),
    "results list": ("results", "list", "new"),
    "results verify": ("results", "verify", "new"),
    "status": ("status", "new"),
    "site": ("site", "new", "-o", "public"),
    "export wide": ("export", "new", "--wide", "-o", "wide.csv"),
    "report": ("report", "new", "-o", "pictures.html"),
    "check page": ("check", "new", "--baseline", "old", "--html", "check.html"),
    "doctor": ("doctor",),
    "import": ("import", "costs.csv", "--results", "new"),
}
"""Commands that work too; what they print is not kept."""

SCORES = {
    "evaluate": ("evaluate", "--method", "x=.", "--reference", "."),
    "measure": ("measure", "a.png", "b.png"),
    "explain": ("explain", "a.png", "b.png", "--metric", "psnr", "--value", "30"),
    "degrade": ("degrade", "noise:sigma=25", ".", "-o", "degraded"),
    "demo": ("demo", "--output", "demo"),
    "metrics list": ("metrics", "list"),
    "weights fetch": ("weights", "fetch"),
}
"""Commands that need what is missing."""


class Without:
    """A finder of modules that does not find some."""

    def __init__(self, finder: Any) -> None:
        self._finder = finder

    def find_spec(self, name: str, *more: Any) -> Any:
        """Find a module unless it is to be missing."""
        if name.partition(".")[0] in MISSING:
            return None
        return self._finder.find_spec(name, *more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)


if __name__ == "__main__":
    import os

    sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
    from commands import said
    from golden_run import run_everything

    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    everything = sys.argv[2:] == ["everything"]
    golden = dict(run_everything(folder, None if everything else GOLDEN))
    os.chdir(folder)
    Path("costs.csv").write_text("method,metric,value,direction\nedsr,params,1000,lower\n")
    ran = {
        "golden": golden,
        "reading": {name: said(*arguments) for name, arguments in READING.items()},
        "scores": {name: said(*arguments) for name, arguments in SCORES.items()},
        "there": sorted(MISSING & {name.partition(".")[0] for name in sys.modules}),
    }
    sys.stdout.write(json.dumps(ran))
