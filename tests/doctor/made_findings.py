"""Helpers that search findings."""

from __future__ import annotations

from iqbench.engine.compute import resolve_compute

CPU = resolve_compute("cpu")


def statuses(findings):
    return {finding.check: finding.status for finding in findings}


def off(findings):
    return [finding for finding in findings if finding.status == "off"]
