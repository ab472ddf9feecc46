"""``iqbench demo``: degrade, restore and score photographs of scikit-image."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iqbench.cli.compute import compute_options, memory_bytes
from iqbench.cli.options import GivenPath
from iqbench.cli.streams import print_result

if TYPE_CHECKING:
    from iqbench.engine.compute import Precision
    from iqbench.page.image_rows import Progress

__all__ = ["demo"]


@click.command(short_help="Run a demo: photographs, classical methods, all results.")
@click.option(
    "--output",
    type=GivenPath(file_okay=False, path_type=Path),
    default=Path("results/demo"),
    show_default=True,
    help="Folder for the pictures and the tables.",
)
@compute_options
def demo(
    output: Path, *, device: str, precision: Precision, memory: str | None, weights: Path | None
) -> None:
    """Degrade photographs, restore them with classical methods, score and rank the results.

    There are four tasks (denoising, super-resolution x4, JPEG artefacts, deblurring). Each is a
    dataset with five methods and the degraded input. Only network weights are downloaded.

    Example: iqbench demo --output results/demo
    """
    from iqbench.api import Evaluation, run_evaluation
    from iqbench.boards.board import read_board
    from iqbench.boards.document import render_leaderboard
    from iqbench.cli.evaluate import report_summary
    from iqbench.cli.pictures import told
    from iqbench.cli.progress import progress_bar
    from iqbench.datasets.load import PACKAGED_FILE
    from iqbench.demo.outputs import DATASETS, make_outputs
    from iqbench.document.terminal import Window
    from iqbench.document.text import printable
    from iqbench.engine.compute import resolve_compute
    from iqbench.networks import weights as pretrained

    budget = memory_bytes(memory)
    resolve_compute(device, precision, budget)
    pretrained.ensure(pretrained.DEFAULT_NETWORKS, folder=weights)
    with progress_bar(lines=True, unit="images") as bar:
        started = False

        def advance(done: int, total: int) -> None:
            nonlocal started
            if not started:
                bar.begin("Restoring photographs", total)
                started = True
            bar.advance(1)

        make_outputs(output, advance)
    evaluation = Evaluation(
        methods_in=output / "outputs",
        datasets=DATASETS,
        datasets_file=PACKAGED_FILE,
        results=output,
        device=device,
        precision=precision,
        memory=budget,
        weights=weights,
    )
    with progress_bar(lines=True) as bar:
        summary = run_evaluation(evaluation, bar, own_process=True)
    # That not every method fits every task is how the demo is made.
    summary.warnings.clear()
    code = report_summary(summary)
    window = Window.of_stdout()
    found = read_board(output, {})
    text = render_leaderboard(found.table, "table", hidden=found.hidden, window=window)
    click.echo()
    print_result(text, color=window.color)
    page = output / "report.html"
    with progress_bar(unit="images") as bar:
        write_report(output, page, told(bar))
    scores, images, pictures, folder, report = (
        shlex.quote(printable(str(path)))
        for path in (output / "scores", output / "images", output / "outputs", output, page)
    )
    click.echo(
        f"\nTables: {scores} and {images} (Parquet). Pictures: {pictures}.\n"
        f"Next: iqbench leaderboard {folder} --columns all\n"
        f"      iqbench export {folder} --wide -o scores.csv\n"
        "      iqbench evaluate --method YOUR_OUTPUTS/ --reference YOUR_REFERENCES/\n"
        f"Report, for a browser: {report}"
    )
    if code:
        click.get_current_context().exit(code)


def write_report(results: Path, page: Path, progress: Progress) -> None:
    """Write a report with a few images of each dataset and the maps that need no network."""
    from iqbench.document.files import write_text
    from iqbench.page.find_pictures import Folders
    from iqbench.page.report import Appearance, report_page

    made = report_page(
        results,
        {},
        [Folders(outputs_in=results / "outputs")],
        appearance=Appearance(images=2, maps=("absolute-error", "ssim")),
        progress=progress,
    )
    write_text(page, made.html)
