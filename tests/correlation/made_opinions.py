"""Tables of opinions with a good metric and a fair one."""

from __future__ import annotations

import pandas as pd

from iqbench.stats.influence import Bootstrap

NONE = Bootstrap(resamples=0)


def table_of(generator, n=60, **columns):
    quality = generator.normal(0, 1, n)
    base = {
        "dataset": "set",
        "image": [f"i{k}" for k in range(n)],
        "mos": quality + generator.normal(0, 0.3, n),
        "mos_std": 0.8,
        "raters": 16.0,
        "mos_direction": "higher",
        "distortion": None,
        "good": quality + generator.normal(0, 0.3, n),
        "fair": -quality + generator.normal(0, 1.5, n),
    }
    return pd.DataFrame({**base, **columns})
