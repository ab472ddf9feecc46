"""A regression check as JUnit XML, which continuous integration systems show as tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from iqbench.document.text import printable
from iqbench.gate.check import Check
from iqbench.gate.check_document import method_names, row_text, worst_text
from iqbench.results.read import with_headings

__all__ = ["render_junit"]


def render_junit(found: Check, *, worst: int = 3) -> str:
    """Render a check as JUnit XML.

    Parameters
    ----------
    found
        The check.
    worst
        The largest number of images that a failure names.

    Returns
    -------
    str
        One suite per dataset, one test case per method and metric. A case fails if its row failed,
        with the verdict as the type of the failure; it is skipped if there was nothing to compare
        and this is allowed. If nothing could be judged at all, there is one failed case. Names are
        escaped, and control characters are written as text.
    """
    root = ElementTree.Element("testsuites", name="iqbench check")
    rows = found.rows.assign(heading=with_headings(found.rows, by=["dataset"]).astype(str))
    for dataset, part in rows.groupby("dataset", sort=False):
        suite = ElementTree.SubElement(root, "testsuite", name=printable(str(dataset)))
        for row in part.to_dict("index").values():
            _case(suite, row, found, worst)
    if not found.gated:
        suite = ElementTree.SubElement(root, "testsuite", name="iqbench check")
        case = ElementTree.SubElement(suite, "testcase", classname="iqbench", name="comparisons")
        ElementTree.SubElement(case, "failure", type="nothing compared", message=found.why())
    for suite in root:
        _count(suite, list(suite))
    _count(root, [case for suite in root for case in suite])
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _case(
    suite: ElementTree.Element,
    row: Mapping[Any, Any],
    found: Check,
    worst: int,
) -> None:
    names = {
        "classname": printable(f"{row['dataset']}.{method_names(row)}"),
        "name": printable(row["heading"]),
    }
    case = ElementTree.SubElement(suite, "testcase", names)
    message = printable(row_text(row))
    if row["failed"]:
        failure = ElementTree.SubElement(case, "failure", type=row["verdict"], message=message)
        images = worst_text(found, row, worst)
        failure.text = printable(f"worst images: {images}") if images else None
    elif not row["n"]:
        ElementTree.SubElement(case, "skipped", message=message)


def _count(element: ElementTree.Element, cases: list[ElementTree.Element]) -> None:
    element.set("tests", str(len(cases)))
    for name, child in (("failures", "failure"), ("skipped", "skipped")):
        element.set(name, str(sum(case.find(child) is not None for case in cases)))
    element.set("errors", "0")
