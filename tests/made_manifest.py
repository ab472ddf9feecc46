"""The manifest of a run, for tables that are written by hand."""

from iqbench.results.schema import Manifest

MANIFEST = Manifest(
    iqbench="0.1.0",
    python="3.10",
    torch="2.4",
    platform="Linux",
    device="cpu",
    precision="exact",
    command="iqbench evaluate",
    time="2026-01-01T00:00:00Z",
)
