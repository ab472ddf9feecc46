"""Find out which conventions reproduce a reported value."""

from __future__ import annotations

from iqbench.explain.answer import Answer, answer
from iqbench.explain.search import changes, explain
from iqbench.explain.value import Reported

__all__ = ["Answer", "Reported", "answer", "changes", "explain"]
