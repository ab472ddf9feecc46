"""Run all checks; a failing one does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from iqbench.doctor.finding import NOT_CHECKED, OFF, OK, Finding
from iqbench.doctor.privacy import redact
from iqbench.errors import IqbenchError, unknown_name
from iqbench.forks import cached_property
from iqbench.user_files import expand_user

if TYPE_CHECKING:
    import pandas as pd

    from iqbench.doctor.scores import Bench
    from iqbench.engine.compute import Compute

__all__ = ["doctor"]


def doctor(
    device: str = "auto",
    *,
    weights: str | Path | None = None,
    reporter: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Check this installation: versions, decoder, device, precision, weights, scores, tables.

    It downloads nothing and leaves no files. Home folders and the user's name are not in the table,
    so that it can be published.

    Parameters
    ----------
    device
        ``auto`` (the first GPU if there is one), ``cpu``, ``cuda`` or ``cuda:N``.
    weights
        Folder that is searched first for pretrained weights.
    reporter
        Called with the name of each part before it is checked.

    Returns
    -------
    DataFrame
        One row per check: part, check, status (``ok``, ``off``, ``not checked``, ``info``),
        deviation, tolerance, unit, note, group. `iqbench.doctor.verdict` summarises it.

    Raises
    ------
    IqbenchError
        If the device name or the weights folder does not exist. Faults of the installation are
        rows of the table, not errors.

    Examples
    --------
    >>> from iqbench.doctor import doctor
    >>> frame = doctor("cpu")  # doctest: +SKIP
    """
    import pandas as pd

    if device.partition(":")[0] not in ("auto", "cpu", "cuda"):
        raise unknown_name("device", device, ("auto", "cpu", "cuda", "cuda:0"))
    folder = None if weights is None else expand_user(weights)
    if folder is not None and not folder.is_dir():
        raise IqbenchError(
            f"the folder given for the weights does not exist: {folder}",
            hint="Give a folder that holds files such as vgg16_features.safetensors",
        )
    findings: list[Finding] = []
    for part, check in _Checkup(device, folder).parts().items():
        if reporter is not None:
            reporter(part)
        findings += _guarded(part, check)
    shown = [replace(finding, note=redact(finding.note)) for finding in findings]
    names = [field.name for field in fields(Finding)]
    frame = pd.DataFrame([asdict(finding) for finding in shown], columns=names)
    return frame.astype({"deviation": "float64", "tolerance": "float64"})


class _LackingError(Exception):
    """Raised if a part needs something that failed in an earlier part."""


class _Checkup:
    """The parts, and the results that later parts need.

    Each part imports its own packages, so that a broken package does not affect other parts.
    """

    def __init__(self, device: str, folder: Path | None) -> None:
        self._device = device
        self._folder = folder
        self._compute: Compute | None = None
        self._missing: dict[str, str] | None = None

    def parts(self) -> dict[str, Callable[[], Iterable[Finding]]]:
        """Return the functions that check the parts, in order."""
        return {
            "versions": self._versions,
            "files": self._files,
            "decoder": self._decoder,
            "device": self._check_device,
            "precision": self._precision,
            "weights": self._weights,
            "scores": self._scores,
            "bands": self._bands,
            "tables": self._tables,
        }

    def _versions(self) -> Iterable[Finding]:
        from iqbench.doctor.versions import check_versions

        return check_versions()

    def _files(self) -> Iterable[Finding]:
        from iqbench.doctor.golden import check_files

        return check_files()

    def _decoder(self) -> Iterable[Finding]:
        from iqbench.doctor.decoder import check_decoder

        return check_decoder()

    def _check_device(self) -> Iterator[Finding]:
        from iqbench.doctor.device import check_device, why_no_cuda
        from iqbench.engine.compute import resolve_compute

        try:
            compute = resolve_compute(self._device)
        except IqbenchError as error:
            note = f"{error.message}: {why_no_cuda()}. {error.hint}"
            yield Finding("device", self._device, OFF, note=note)
            return
        yield from check_device(compute)
        # Set it only after a successful computation, because all later parts rely on it.
        self._compute = compute

    def _precision(self) -> Iterable[Finding]:
        from iqbench.doctor.precision import check_precision

        return check_precision(self._usable_compute)

    def _weights(self) -> Iterable[Finding]:
        from iqbench.doctor.weights import check_weights

        findings = check_weights(self._folder)
        self._missing = {
            item.check: "damaged" if item.status == OFF else "not here"
            for item in findings
            if item.status != OK
        }
        return findings

    def _scores(self) -> Iterable[Finding]:
        from iqbench.doctor.scores import check_scores

        return check_scores(self._bench)

    def _bands(self) -> Iterable[Finding]:
        from iqbench.doctor.scores import check_bands

        return check_bands(self._bench)

    def _tables(self) -> Iterable[Finding]:
        from iqbench.doctor.scores import check_tables

        return check_tables(self._usable_compute)

    @property
    def _usable_compute(self) -> Compute:
        if self._compute is None:
            raise _LackingError("nothing can be computed on the device")
        return self._compute

    @cached_property
    def _bench(self) -> Bench:
        from iqbench.doctor.scores import Bench

        if self._missing is None:
            raise _LackingError("the weights could not be checked")
        return Bench.set_up(self._usable_compute, self._missing, self._folder)


def _guarded(part: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Check a part; any error becomes a finding."""
    try:
        yield from check()
    except _LackingError as error:
        yield Finding(part, part, NOT_CHECKED, note=str(error))
    except IqbenchError as error:
        yield Finding(part, part, OFF, note=str(error))
    except Exception as error:  # a broken installation may raise anything
        yield Finding(part, part, OFF, note=f"{type(error).__name__}: {error}")
