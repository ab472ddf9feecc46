"""Make the signature of a score: everything that its value depends on, and nothing else.

The option ``--alpha`` is not part of it, because it decides only whether a picture with
transparency has a value, and not which value. The pixels of a file depend only on the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from iqbench.engine.compute import Precision
from iqbench.engine.grouping import reads_alone
from iqbench.images.peaks import Peaks
from iqbench.metrics._base import Metric
from iqbench.metrics._registry import Request
from iqbench.protocols.presets import Protocol
from iqbench.results.schema import UNDEFINED, output_mark, pair_digest
from iqbench.results.signature import GRAY_OUTPUT, parse_signature, signature

__all__ = ["Signatures", "signatures_of", "with_peak"]

DIGITS = 12


@dataclass(frozen=True)
class Signatures:
    """The signatures of a run's columns.

    Attributes
    ----------
    plain
        By column, of pairs whose peaks are 255 and 65535.
    bitstreams
        The columns that read no pixels, and so know no peak.
    alone
        The columns that read outputs alone, without their references.
    lacking
        Columns of metrics that need the output alone, but whose views need references, to why they
        have no value where there is none.
    """

    plain: Mapping[str, str] = field(default_factory=dict)
    bitstreams: frozenset[str] = frozenset()
    alone: frozenset[str] = frozenset()
    lacking: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_requests(
        cls,
        requests: Iterable[Request],
        protocol: Protocol,
        digests: Mapping[str | Metric, str],
        precision: Precision,
    ) -> Signatures:
        """Spell the signatures of columns with one value per image; see `signatures_of`."""
        chosen = [item for item in requests if item.metric.scope == "image"]
        alone = {item.column.name for item in chosen if reads_alone(item, protocol)}
        lacking = {}
        for item in chosen:
            name, metric = item.column.name, item.metric
            if metric.needs == "output" and name not in alone:
                view = protocol.view(metric.role, metric.name)
                lacking[name] = (
                    f"protocol {protocol.spec} shows {name} the output at the mean brightness of "
                    f"its reference (view {view}), and there is no reference"
                )
        return cls(
            signatures_of(chosen, protocol, digests, precision),
            frozenset(one.column.name for one in chosen if one.metric.needs == "bitstream"),
            frozenset(alone),
            lacking,
        )

    def mark(
        self,
        column: str,
        reference_digest: str | None,
        output_digest: str | None,
        bitstream: str | None = None,
    ) -> str | None:
        """Name the files that a column's value depends on; None where one of them is missing.

        Parameters
        ----------
        column
            Whose value.
        reference_digest, output_digest
            Of the two images.
        bitstream
            `iqbench.results.schema.bitstream_mark`; where there is none, the error of the column
            belongs to the output.
        """
        if column in self.bitstreams:
            return bitstream or output_mark(output_digest)
        without = column in self.lacking and reference_digest is None
        if without or column in self.alone:
            return output_mark(output_digest)
        return pair_digest(reference_digest, output_digest)

    def why_not_alone(self, column: str) -> str:
        """Say why a column that is not among `alone` has no value of an output alone."""
        why = self.lacking.get(column)
        return f"{UNDEFINED}{why}" if why else f"{column} needs a reference, and there is none"

    def of(self, peaks: Peaks | None) -> Mapping[str, str]:
        """Return the signatures of an output's values; None if it is not known what is white."""
        if peaks is None or not (peaks.label or peaks.own_label):
            return self.plain
        return {
            column: text
            if column in self.bitstreams
            else with_peak(text, peaks.own_label if column in self.alone else peaks.label)
            for column, text in self.plain.items()
        }


def with_peak(text: str, label: str) -> str:
    """Say in a signature which sample value is white, where it is not the largest of the type."""
    return signature({**parse_signature(text), "peak": label}) if label else text


def signatures_of(
    requests: Iterable[Request],
    protocol: Protocol,
    digests: Mapping[str | Metric, str],
    precision: Precision,
) -> dict[str, str]:
    """Spell the signature of every column.

    The precision is part of it only where a network is read: pixel metrics do not depend on it.

    Parameters
    ----------
    requests
        The columns.
    protocol
        Gives its name, its version and the view.
    digests
        Of the networks' weights by name, of trained parameters by metric.
    precision
        Of the networks.

    Returns
    -------
    dict
        Column name to signature.
    """
    spelt: dict[str, str] = {}
    for request in requests:
        metric, column = request.metric, request.column
        # Pixels and pyramids have no weights.
        networks = sorted({tap.network for tap in column.taps} & digests.keys())
        fields = {"metric": metric.name, "version": str(metric.version), **dict(column.options)}
        fields["protocol"] = f"{protocol.spec}/{protocol.version}"
        view = protocol.view(metric.role, metric.name)
        fields["view"] = str(view)
        if view.choice_of_gray:
            fields[GRAY_OUTPUT] = view.choice_of_gray
        trained = [f"{name}:{digests[name][:DIGITS]}" for name in networks]
        if metric in digests:
            trained.append(f"{metric.name}:{digests[metric][:DIGITS]}")
        if trained:
            fields["weights"] = "+".join(trained)
        if networks:
            fields["precision"] = precision
        spelt[column.name] = signature(fields)
    return spelt
