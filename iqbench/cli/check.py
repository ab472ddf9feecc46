"""``iqbench check``: check whether anything got worse than in a baseline."""

from __future__ import annotations

import os
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iqbench.cli.options import (
    GivenPath,
    ResultsFolder,
    filter_options,
    format_of,
    format_option,
    inputs_stay,
    output_option,
    results_copies,
    side_argument,
    wanted,
)
from iqbench.cli.pictures import file_bytes, picture_folders, picture_options, told
from iqbench.cli.streams import goes_elsewhere, print_result, say
from iqbench.errors import IqbenchError, IqbenchWarning

if TYPE_CHECKING:
    from iqbench.document.terminal import Window
    from iqbench.gate.check import Check
    from iqbench.gate.compared_scores import ComparedFolders

_ALLOWABLE = ("missing", "not-comparable")
_SAYS_NO = 1
_MAPS = ("absolute-error", "ssim")  # those that need no network: a check is to be quick


def _allowed(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> frozenset[str]:
    """Read verdicts joined by commas, in the words of the table."""
    names = [name.strip() for text in value for name in text.split(",")]
    for name in names:
        if name not in _ALLOWABLE:
            raise click.BadParameter(f"{name!r} is not one of {', '.join(_ALLOWABLE)}.", ctx, param)
    return frozenset(name.replace("-", " ") for name in names)


@click.command(short_help="Check whether anything got worse than in a baseline.")
@side_argument
@results_copies("baseline")
@click.option(
    "--baseline",
    required=True,
    metavar="RESULTS",
    type=ResultsFolder(file_okay=True),
    help="The baseline: a results folder, or a text file that --update wrote.",
)
@click.option(
    "--update",
    is_flag=True,
    help="Print the changes, then write the values of RESULTS into the baseline, and exit with 0. "
    "A new baseline with a name that ends in .jsonl is a text file for version control, with "
    "one line per image.",
)
@click.option(
    "--margin",
    "margins",
    multiple=True,
    metavar="METRIC=VALUE",
    help="Smallest loss of the mean that counts, in the metric's unit or, with %, as a share of "
    "the baseline's mean: psnr=0.1, lpips=2%, psnr[protocol=rgb]=0.2. May be repeated.",
)
@click.option(
    "--image-margin",
    "image_margins",
    multiple=True,
    metavar="METRIC=VALUE",
    help="Loss of a single image that fails the check, in the metric's unit or, with %, as a share "
    "of that image's value: psnr=1, perceptual=20%; psnr=none for no limit, none for none at all. "
    "By default 20 times the margin. May be repeated.",
)
@click.option(
    "--map",
    "renamed",
    multiple=True,
    metavar="OLD=NEW",
    help="Compare the baseline's method OLD with NEW. May be repeated.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="Probability that noise alone is called worse, over all comparisons.",
)
@click.option(
    "--allow",
    callback=_allowed,
    multiple=True,
    metavar="VERDICT[,VERDICT]",
    help="Verdicts that do not fail the check: missing, not-comparable.",
)
@filter_options
@click.option(
    "--rows",
    type=click.Choice(["changed", "all"]),
    help="Whether to show rows that did not change; by default if there are no more than 20 rows.",
)
@click.option(
    "--worst",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    metavar="N",
    help="List up to N images for each row that is worse.",
)
@format_option(more=["github"])
@output_option()
@inputs_stay("junit")
@inputs_stay("html")
@click.option(
    "--junit",
    metavar="FILE",
    type=GivenPath(dir_okay=False, path_type=Path),
    help="Also write JUnit XML.",
)
@click.option(
    "--html",
    metavar="FILE",
    type=GivenPath(dir_okay=False, path_type=Path),
    help="Also write a page of HTML: what got worse, with pictures of the baseline and the new "
    "outputs side by side if both are found.",
)
@picture_options
def check(
    *,
    results: Path,
    baseline: Path,
    update: bool,
    margins: tuple[str, ...],
    image_margins: tuple[str, ...],
    renamed: tuple[str, ...],
    alpha: float,
    allow: frozenset[str],
    rows: str | None,
    worst: int,
    format: str | None,
    output: Path | None,
    junit: Path | None,
    html: Path | None,
    max_size: str,
    **options: Any,
) -> None:
    """Say whether anything got worse than in a baseline: exit code 0, or 1 if so.

    RESULTS is a folder that `iqbench evaluate` wrote, or a baseline in text; by default results/.
    Values are compared image by image if their dataset, metric, signature and reference file are
    the same.

    If the standard output goes into a file or a pipe, the verdict and the worst images are printed
    on stderr. With --format github, failures are printed as annotations of GitHub Actions, and the
    check is added as Markdown to the file that GITHUB_STEP_SUMMARY names.

    With --update, the values of RESULTS replace those of the baseline. Methods and datasets that
    --method and --dataset leave out are not changed. If RESULTS lacks values that the baseline has,
    the update stops; --allow missing deletes these values from the baseline.

    \b
    Verdicts of each dataset, method and metric:
      worse           an image lost the image margin or more, or
                      the mean lost the margin or more, and significantly    exit 1
      missing         the baseline has values that RESULTS lacks             exit 1
      not comparable  another signature or reference file; it is named       exit 1
      changed         a metric without direction has other values
      better, same

    Significant: one-sided Wilcoxon test, paired by image, corrected by Holm over all comparisons
    in which a value changed. If so few images changed that no outcome can be significant, the
    margin alone decides. Changes below a tenth of the margin are ties in the test. Gain: how much
    better the mean is now, in the metric's unit. If nothing can be compared, the check fails.

    Single images need no test: one image that lost its image margin fails the check, even if all
    others are better. If a value was infinite (equal images) and is finite now, the loss is larger
    than any image margin. Infinite values are counted, but are not part of means.

    A value of a whole set (fid, kid) is not part of the tests. It is worse if it lost the margin or
    more, and the 95 % interval of its gain excludes 0; the interval comes from leaving out the same
    images on both sides. If tables lack the data for this interval, the margin alone decides.

    \b
    Default margins of             the mean                    one image
      psnr, psnr-b, ms-ssim-db     0.05 dB                     1 dB
      ssim, ms-ssim                0.001                       0.02
      lpips                        0.002                       0.04
      tv-ratio, its distance to 1  0.01                        0.2
      fid, kid                     2 % of the baseline's value
      perceptual and others        1 % of the baseline's mean  20 % of the image's value

    \b
    Examples:
      iqbench check --baseline results/baseline
      iqbench check new/ --baseline old/ --margin psnr=0.1 --margin lpips=2%
      iqbench check new/ --baseline old/ --image-margin psnr=0.5 --image-margin ssim=none
      iqbench check --baseline old/ --map edsr-v1=edsr-v2 --method edsr-v2
      iqbench check --baseline results/baseline --allow missing --junit check.xml
      iqbench check new/ --baseline old/ --html check.html --outputs edsr=v1/ --outputs edsr=v2/
      iqbench check --baseline baseline.jsonl --format github
      iqbench check --baseline baseline.jsonl --update
    """
    from iqbench.cli.library_warnings import told_warnings
    from iqbench.cli.progress import waiting
    from iqbench.document.files import write_text
    from iqbench.document.terminal import Window
    from iqbench.gate.check import check_parts
    from iqbench.gate.check_document import verdict_lines
    from iqbench.gate.compared_scores import compared_datasets
    from iqbench.gate.junit import render_junit
    from iqbench.gate.margins import parse_image_margins, parse_margins

    if html is None and any(options[name] for name in ("outputs", "outputs_in", "references")):
        raise click.UsageError("pictures are shown by --html FILE: give it, or leave them out")
    format = format or format_of(output)
    if update:
        _refuse_address(baseline)
        _refuse_part_of_a_method(options)
        if not baseline.exists():
            _start_baseline(baseline, results, wanted(options))
            return
    with ExitStack() as stack:
        with told_warnings(), waiting("Comparing with the baseline"):
            if results.resolve() == baseline.resolve() and not renamed:
                warnings.warn(f"{baseline} is compared with itself", IqbenchWarning, stacklevel=1)
            sides = stack.enter_context(
                compared_datasets(baseline, results, wanted(options), renamed)
            )
            found = check_parts(
                sides.parts(),
                methods=sides.methods,
                margins=parse_margins(margins, sides.columns),
                image_margins=parse_image_margins(image_margins, sides.columns),
                alpha=alpha,
                allow=allow,
            )
        window = Window() if output else Window.of_stdout()
        text = _rendered(found, format, baseline, worst=worst, every=rows == "all", window=window)
        if junit is not None:
            write_text(junit, render_junit(found, worst=worst))
        if html is not None:
            names = str(baseline), str(results)
            _write_page(html, found, sides, names, options, worst=worst, size=max_size)
        if output is None:
            print_result(text, format, color=window.color)
        else:
            write_text(output, text)
        if format == "github":
            _add_to_summary(found, worst)
        elif output is not None or goes_elsewhere():
            say("\n".join(verdict_lines(found, worst)))
        if update:
            _update(found, sides, baseline, results, allow)
    if not update and not found.passed:
        click.get_current_context().exit(_SAYS_NO)


def _write_page(
    html: Path,
    found: Check,
    sides: ComparedFolders,
    names: tuple[str, str],
    options: dict[str, Any],
    *,
    worst: int,
    size: str,
) -> None:
    from iqbench.cli.progress import progress_bar
    from iqbench.document.files import write_text
    from iqbench.page.check import check_page

    places, recorded = picture_folders(sides.folders, options)
    with progress_bar(unit="images") as bar:
        made = check_page(
            *(found, sides, names, places),
            worst=worst,
            size=file_bytes(size),
            maps=_MAPS,
            recorded=recorded,
            progress=told(bar),
        )
    write_text(html, made.html)


def _rendered(
    found: Check, format: str, baseline: Path, *, worst: int, every: bool, window: Window
) -> str:
    from iqbench.gate.check_document import render_check
    from iqbench.gate.github import render_github
    from iqbench.results.text_baseline import image_lines

    if format != "github":
        return render_check(found, format, worst=worst, every=every, window=window)
    if not baseline.is_file():
        return render_github(found, worst=worst)
    return render_github(
        found, worst=worst, file=_in_repository(baseline), lines=image_lines(baseline)
    )


def _in_repository(path: Path) -> str:
    """Name a file as GitHub does: relative to the checkout, with slashes."""
    root = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd()).resolve()
    whole = path.resolve()
    return (whole.relative_to(root) if whole.is_relative_to(root) else path).as_posix()


def _add_to_summary(found: Check, worst: int) -> None:
    """Add the check to the summary of the step of GitHub Actions that this runs in, if any."""
    from iqbench.gate.check_document import render_check

    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if not summary:
        return
    text = render_check(found, "markdown", worst=worst)
    try:
        with Path(summary).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{text}\n")
    except OSError as error:
        raise IqbenchError(
            f"cannot write {summary}: {error.strerror or error}",
            hint="The variable GITHUB_STEP_SUMMARY names it; unset it, or let it name a file",
        ) from error


def _refuse_address(baseline: Path) -> None:
    """Refuse to update what is only a copy."""
    from iqbench.results.mirror import address_of

    if address := address_of(baseline):
        raise IqbenchError(
            f"the baseline {address} is not updated at its address",
            hint="Copy it to this machine, update that, and put it back",
        )


def _refuse_part_of_a_method(options: dict[str, Any]) -> None:
    """Refuse to update some metrics alone: the others would be of files that are gone."""
    for name in ("metric", "protocol", "precision"):
        if options[name]:
            raise click.UsageError(
                f"--update takes all values of a method: leave --{name} out, or choose by --method "
                "and --dataset"
            )


def _start_baseline(baseline: Path, results: Path, chosen: dict[str, Any]) -> None:
    from iqbench.cli.library_warnings import told_warnings
    from iqbench.cli.progress import waiting
    from iqbench.gate.update import new_baseline

    if chosen:
        raise click.UsageError(
            f"there is no {baseline} yet: write it first, of all of {results}, without --method "
            "and --dataset"
        )
    with told_warnings(), waiting("Writing the baseline"):
        written = new_baseline(baseline, results)
    say(f"wrote the new baseline {baseline}: {written.added:,} values")


def _update(
    found: Check, sides: ComparedFolders, baseline: Path, results: Path, allow: frozenset[str]
) -> None:
    from iqbench.gate.matching import MISSING
    from iqbench.gate.update import update_baseline

    missing = int(found.rows["missing"].sum())
    if missing and MISSING not in allow:
        raise IqbenchError(
            f"{baseline} was not updated: it has {missing:,} values that {results} lacks",
            hint="Score them, or drop them from the baseline by --allow missing",
        )
    counts = update_baseline(baseline, results, sides)
    say(f"updated {baseline}: {counts}")
