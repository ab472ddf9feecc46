"""The critical-difference diagram as a file."""

from __future__ import annotations

import numpy as np
import pandas as pd

from iqbench.boards.critical import critical_difference
from iqbench.boards.diagram import critical_difference_svg

NAMES = ["edsr", "a_$x$ <&>", "{label}", "\x1b"]
RANKS = pd.DataFrame([np.roll([1.0, 2.0, 3.0, 4.0], turn // 5) for turn in range(6)], columns=NAMES)


def test_a_diagram_names_methods_ranks_and_the_difference() -> None:
    found = critical_difference(RANKS)
    text = critical_difference_svg(found, 6, "psnr")
    assert text.lstrip().startswith("<?xml")
    assert "a_$x$ &lt;&amp;&gt;" in text
    assert "{label}" in text
    assert "\\x1b" in text
    assert "\x1b" not in text
    assert f"critical difference {found.difference:.2f} (Nemenyi, 5 %)" in text
    for rank in found.average:
        assert f"{rank:.2f}" in text


def test_a_diagram_is_the_same_each_time() -> None:
    found = critical_difference(RANKS)
    first, second = (critical_difference_svg(found, 6, "psnr") for _ in range(2))
    assert first == second
