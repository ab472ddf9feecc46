"""Download all other networks from the addresses that torchvision uses."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iqbench.errors import IqbenchError
from iqbench.networks.weights.catalogue import expected_shapes

__all__ = ["address", "download", "read_checkpoint"]

RETRIES = 2


def address(network: str) -> str:
    """Return the address of a network's ``IMAGENET1K_V1`` checkpoint.

    It comes from the installed torchvision, so that it is correct for that version.
    """
    from torchvision.models import get_model_weights

    return str(get_model_weights(network)["IMAGENET1K_V1"].url)


def download(url: str, folder: Path) -> Path:
    """Download a checkpoint into a folder and verify it by the hash in its name.

    Raises
    ------
    IqbenchError
        If the address cannot be reached, or the hash of the file differs.
    """
    import pooch

    name = url.rsplit("/", maxsplit=1)[-1]
    prefix = re.search(r"-([0-9a-f]{8})\.pth$", name)
    if prefix is None:
        raise IqbenchError(f"{url} has no hash in its name to verify the download by")
    source = pooch.create(
        path=folder, base_url="", registry={name: None}, urls={name: url}, retry_if_failed=RETRIES
    )
    downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), chunk_size=2**18)
    try:
        path = Path(source.fetch(name, downloader=downloader))
    except (OSError, ValueError) as error:
        raise IqbenchError(f"{url} cannot be downloaded: {_reason(error)}") from error
    digest = pooch.file_hash(str(path), alg="sha256")
    if not digest.startswith(prefix[1]):
        raise IqbenchError(f"the file from {url} has sha256 {digest}, not {prefix[1]}...")
    return path


def read_checkpoint(network: str, path: Path) -> dict[str, NDArray[np.float32]]:
    """Read the convolutions and batch norms of a checkpoint, and ignore everything else.

    Raises
    ------
    IqbenchError
        If the file is not a checkpoint that contains only tensors.
    """
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        held = (key for key in expected_shapes(network) if key in state)
        return {key: state[key].detach().numpy() for key in held}
    except Exception as error:  # a broken pickle can raise any error
        raise IqbenchError(
            f"{path.name} cannot be read as a checkpoint: {_reason(error)}"
        ) from error


def _reason(error: Exception) -> str:
    """Describe an error in one line; of requests' nested errors, only the innermost one."""
    cause = getattr(error.args[0], "reason", error) if error.args else error
    text = (str(cause).splitlines() or [type(error).__name__])[0]
    return text if cause is error else text.split(": ", maxsplit=1)[-1]
