"""Find, fetch, verify and load pretrained weights.

The weights of a network are searched in the given folder, in ``$IQBENCH_WEIGHTS`` and in the cache.
If they are in none of them, they are fetched into the cache. Importing this package does not import
torch.
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
