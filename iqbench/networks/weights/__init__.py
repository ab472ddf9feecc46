"""Pretrained weights: found, fetched, verified, loaded.

A network's weights are looked for in a folder that is given, in ``$IQBENCH_WEIGHTS``, in the
cache; then they are fetched into the cache. Importing this package imports no torch.
"""

from iqbench.networks.weights.catalogue import DEFAULT_NETWORKS, NETWORKS
from iqbench.networks.weights.fetching import fetch
from iqbench.networks.weights.loading import Weights, ensure, load, load_all, lpips_linear
from iqbench.networks.weights.store import (
    OFFLINE_VARIABLE,
    WEIGHTS_VARIABLE,
    cache_folder,
    locate,
)

__all__ = [
    "DEFAULT_NETWORKS",
    "NETWORKS",
    "OFFLINE_VARIABLE",
    "WEIGHTS_VARIABLE",
    "Weights",
    "cache_folder",
    "ensure",
    "fetch",
    "load",
    "load_all",
    "locate",
    "lpips_linear",
]
