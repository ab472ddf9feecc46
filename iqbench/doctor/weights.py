"""Check that the weights of the default metrics exist and are correct."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from iqbench.doctor.finding import NOT_CHECKED, OFF, OK, Finding
from iqbench.errors import IqbenchError
from iqbench.networks.weights import DEFAULT_NETWORKS, locate, lpips_linear
from iqbench.networks.weights.catalogue import weight_set
from iqbench.networks.weights.store import read

__all__ = ["check_weights"]

PART = "weights"
FETCH = "not here: run `iqbench weights fetch`"


def check_weights(folder: Path | None) -> list[Finding]:
    """Find and verify weight files, without downloading any.

    Parameters
    ----------
    folder
        The folder that is searched first.

    Returns
    -------
    list of Finding
        One per network, with its name in `check`, and one for each set of LPIPS' linear layers,
        with the name of its column. Those that are not ok cannot be used for scoring.
    """
    networks = [_network(name, folder) for name in DEFAULT_NETWORKS]
    return [*networks, _linear("alex"), _linear("vgg")]


def _network(name: str, folder: Path | None) -> Finding:
    try:
        path = locate(name, folder)
        if path is None:
            used_by = ", ".join(weight_set(name).used_by)
            return Finding(PART, name, NOT_CHECKED, note=f"{FETCH}; needed by {used_by}")
        file = read(name, path)
    except IqbenchError as error:
        return Finding(PART, name, OFF, note=str(error))
    return Finding(PART, name, OK, note=f"{file.digest[:12]} as known: {path}")


def _linear(net: Literal["alex", "vgg"]) -> Finding:
    check = f"lpips-{net}"
    try:
        weights = lpips_linear(net)
    except IqbenchError as error:
        return Finding(PART, check, OFF, note=str(error))
    note = f"{weights.digest[:12]} as known: linear layers in the package lpips"
    return Finding(PART, check, OK, note=note)
