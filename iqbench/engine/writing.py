"""Write scores of images in memory into a results folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from iqbench.datasets.files import check_text
from iqbench.engine.manifest import manifest_of
from iqbench.engine.pairs import PairScorer
from iqbench.engine.record import Record, Row
from iqbench.errors import IqbenchError
from iqbench.results.schema import ImageRow, Origin, ScoreRow, SetRow, removed
from iqbench.results.store import Store
from iqbench.user_files import expand_user

__all__ = ["write_record"]

IN_MEMORY = "(tensors in memory)"
"""Where images lay that no file holds: a later run over files then compares digests."""


def write_record(
    record: Record,
    scorer: PairScorer,
    results: Path,
    *,
    method: str,
    dataset: str,
    replace: bool,
    sets: Sequence[SetRow] = (),
    references: bool = True,
) -> None:
    """Write the rows of a record as the scores of one method.

    Parameters
    ----------
    record
        What was scored.
    scorer
        What it was scored with.
    results
        The results folder.
    method, dataset
        Names in the tables.
    replace
        Take what the tables have of other references of these images out.
    sets
        Values of all images together, without names.
    references
        Whether sets are of the images and their references, or of the images alone.

    Raises
    ------
    IqbenchError
        If a name is empty or cannot be stored, the folder cannot be written, or the tables have
        other references under that name of a dataset.
    """
    for what, name in (("method", method), ("dataset", dataset)):
        if not isinstance(name, str):
            raise IqbenchError(
                f"the name of the {what} is of type {type(name).__name__}, not a text",
                hint=f"Give {what}={str(name)!r}",
            )
        if not name.strip():
            raise IqbenchError(f"the name of the {what} is empty")
        check_text(what, name)
    store = Store(expand_user(results))
    rows = record.rows()
    others = _other_references(store, dataset, method, rows)
    if others and not replace:
        other, differing = next(iter(others.items()))
        raise IqbenchError(
            f"{results} has scores of {other!r} on {dataset!r} whose reference of "
            f"{differing[0]!r} is "
            "another image",
            hint="Give the dataset another name with dataset=..., choose another folder, or take "
            "the other scores out with replace=True",
        )
    known = store.current(dataset, method)
    origin = Origin(IN_MEMORY, IN_MEMORY, store.place)
    manifest = manifest_of(scorer.compute)
    with store.writer(manifest, scorer.columns, origins={(dataset, method): origin}) as writer:
        for key, images in others.items():
            for name in images:
                why = "the dataset was replaced by another of its name"
                writer.add_image(removed(dataset, key, name, why))
        for name in sorted(known.images.keys() - {row.image for row in rows}):
            why = "the dataset no longer has this image"
            writer.add_image(removed(dataset, method, name, why))
        for row in rows:
            image_row = _image_row(row, dataset, method)
            writer.add_image(image_row)
            writer.add_scores(_score_rows(row, image_row, record, scorer))
        if sets:
            writer.flush()
            members = store.members(dataset, method, outputs_alone=not references)
            writer.write_sets(
                [
                    dataclasses.replace(
                        one,
                        dataset=dataset,
                        method=method,
                        protocol=scorer.protocol.spec,
                        members=members,
                    )
                    for one in sets
                ]
            )


def _other_references(
    store: Store, dataset: str, method: str, rows: list[Row]
) -> dict[str, list[str]]:
    """Find other methods whose references of the same images differ, and all their images."""
    mine = {row.image: row.reference_digest for row in rows if row.reference_digest is not None}
    found: dict[str, list[str]] = {}
    for other in store.origins(dataset):
        if other == method:
            continue
        images = store.current(dataset, other).images
        differing = [
            image
            for image, state in images.items()
            if state.reference_digest is not None
            and mine.get(image, state.reference_digest) != state.reference_digest
        ]
        if differing:
            found[other] = [*differing, *(image for image in images if image not in differing)]
    return found


def _image_row(row: Row, dataset: str, method: str) -> ImageRow:
    reasons = [*row.errors, *row.set_errors]
    failed = [error for error in reasons if error]
    return ImageRow(
        dataset,
        method,
        str(row.image),
        reference_digest=row.reference_digest,
        output_digest=row.output_digest or None,
        height=row.height,
        width=row.width,
        channels=row.channels,
        bit_depth=row.bit_depth or None,
        error=failed[0] if reasons and len(failed) == len(reasons) else None,
    )


def _score_rows(
    row: Row, image: ImageRow, record: Record, scorer: PairScorer
) -> Iterator[ScoreRow]:
    signatures = scorer.signatures
    spelt = signatures.of(row.white)
    for name, value, error in zip(record.columns, row.values, row.errors, strict=True):
        yield ScoreRow(
            dataset=image.dataset,
            method=image.method,
            image=image.image,
            metric=name,
            value=value,
            error=error,
            signature=spelt[name],
            protocol=scorer.protocol.spec,
            pair=signatures.mark(name, image.reference_digest, image.output_digest),
        )
