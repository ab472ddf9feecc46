"""Load weights as tensors: find or fetch them, and verify them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from iqbench.errors import IqbenchError, unknown_name
from iqbench.networks.weights import fetching
from iqbench.networks.weights.store import content_digest, locate, read

if TYPE_CHECKING:
    import torch

__all__ = ["Weights", "ensure", "load", "load_all", "lpips_linear"]

_LINEAR_DIGESTS = {  # of version 0.1's layers inside lpips 0.1.4
    "alex": "aff6daba0021d12312a00bde2bd0c43b2476fe72badc8da6498c60edd76908b2",
    "vgg": "cc4ca1198375fb18c095a1651b8fdb1e9c9da99b5fe216545b215ddced692840",
    "squeeze": "09db61b06fe9c2d0f62d2e25a2b499795bd623966e3faad988f998db479027c1",
}


@dataclass(frozen=True, eq=False)
class Weights:
    """A network's weights.

    Attributes
    ----------
    network
        The name of the network.
    tensors
        float32 on the CPU with torchvision's keys; kernels (output, input, height, width).
    digest
        SHA-256 of the tensors in hex, independent of the file; part of the signature of a score.
    origin
        The path of the file, and its source.
    """

    network: str
    tensors: dict[str, torch.Tensor]
    digest: str
    origin: str


def load(network: str, *, folder: Path | None = None) -> Weights:
    """Find, verify and load the weights of a network; fetch them if they are missing.

    Parameters
    ----------
    network
        torchvision's name, e.g. ``"vgg16"``.
    folder
        Searched first, before ``$IQBENCH_WEIGHTS`` and the cache.

    Raises
    ------
    IqbenchError
        If there is no such network, its weights cannot be found or fetched, or the file is damaged.
    """
    return load_all([network], folder=folder)[network]


def load_all(networks: Iterable[str], *, folder: Path | None = None) -> dict[str, Weights]:
    """Find, verify and load the weights of several networks; each file is read once.

    Parameters
    ----------
    networks, folder
        As in `load`.

    Raises
    ------
    IqbenchError
        If weights are missing, with all their names; or for the first damaged file.
    """
    import torch

    loaded: dict[str, Weights] = {}
    for network, path in _obtain(networks, folder).items():
        file = read(network, path)
        tensors = {key: torch.from_numpy(values) for key, values in file.arrays.items()}
        loaded[network] = Weights(network, tensors, file.digest, f"{file.path} ({file.origin})")
    return loaded


def ensure(networks: Iterable[str], *, folder: Path | None = None) -> dict[str, str]:
    """Make sure that the weights of networks exist and are correct, before any computation.

    Parameters
    ----------
    networks, folder
        As in `load`.

    Returns
    -------
    dict
        The content digest of each network.

    Raises
    ------
    IqbenchError
        If weights are missing, with all their names; or for the first damaged file.
    """
    paths = _obtain(networks, folder)
    return {name: read(name, path).digest for name, path in paths.items()}


def _obtain(networks: Iterable[str], folder: Path | None) -> dict[str, Path]:
    names = list(dict.fromkeys(networks))
    found = {name: locate(name, folder) for name in names}
    missing = [name for name, path in found.items() if path is None]
    fetched = fetching.fetch(missing)
    return {name: path or fetched[name] for name, path in found.items()}


def lpips_linear(net: Literal["alex", "vgg", "squeeze"]) -> Weights:
    """Load the linear layers of LPIPS, version 0.1, from the installed ``lpips`` package.

    The package itself is not imported.

    Returns
    -------
    Weights
        Tensors ``lin0``, ``lin1``, ... (1, C, 1, 1), one per compared layer.

    Raises
    ------
    IqbenchError
        If there is no such net, or ``lpips`` is not installed or contains other weights.
    """
    import torch

    if net not in _LINEAR_DIGESTS:
        raise unknown_name("LPIPS network", net, _LINEAR_DIGESTS)
    mend = "Install it again: `python -m pip install --force-reinstall --no-deps lpips`."
    package = find_spec("lpips")
    if package is None or package.origin is None:
        raise IqbenchError(
            "the package lpips, which holds LPIPS' linear layers, is missing", hint=mend
        )
    path = Path(package.origin).parent / "weights" / "v0.1" / f"{net}.pth"
    try:
        # The layers of one net are stored for a GPU.
        state = torch.load(path, map_location="cpu", weights_only=True)
        tensors = {key.split(".", maxsplit=1)[0]: state[key] for key in sorted(state)}
        digest = content_digest({key: value.numpy() for key, value in tensors.items()})
    except Exception as error:  # a broken file can raise any error
        raise IqbenchError(f"{path} cannot be read: {error}", hint=mend) from error
    if digest != _LINEAR_DIGESTS[net]:
        raise IqbenchError(f"{path} does not hold the linear layers of LPIPS 0.1", hint=mend)
    return Weights(f"lpips-linear-{net}", tensors, digest, str(path))
