"""Without a browser, tests of pages are skipped; if this must not happen, they fail."""

from __future__ import annotations

import pytest
from needed import missing


@pytest.mark.parametrize(
    ("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)]
)
def test_nothing_is_skipped_where_all_must_run(monkeypatch, ci, outcome):
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="no Chromium"):
        missing("there is no Chromium")
