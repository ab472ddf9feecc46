"""Every other network, from the address that torchvision itself would use."""

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

    It comes from the torchvision that is installed, so that it is right for that version.
    """
    from torchvision.models import get_model_weights

    return str(get_model_weights(network)["IMAGENET1K_V1"].url)


def download(url: str, folder: Path) -> Path:
    """Download a checkpoint into a folder and verify it by the hash in its name.

    Raises
    ------
    IqbenchError
        The address cannot be reached, or what came is another file.
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
        raise IqbenchError(f"what came from {url} has sha256 {digest}, not {prefix[1]}...")
    return path


def read_checkpoint(network: str, path: Path) -> dict[str, NDArray[np.float32]]:
    """Read a checkpoint's convolutions and batch norms; all else in it is dropped.

    Raises
    ------
    IqbenchError
        The file is not a checkpoint that holds tensors only.
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
    """Say in one line why; of requests' nested errors only what is at the bottom."""
    cause = getattr(error.args[0], "reason", error) if error.args else error
    text = (str(cause).splitlines() or [type(error).__name__])[0]
    return text if cause is error else text.split(": ", maxsplit=1)[-1]
