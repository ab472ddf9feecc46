"""The code blocks of the documents at the top of the repository."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(document, language):
    """Code blocks of one language, in the document's order."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return [code for found, code in _BLOCK.findall(text) if found == language]


def command_lines(document):
    """Lines of shell blocks without their comments, continued lines joined."""
    text = "".join(blocks(document, "sh")).replace("\\\n", " ")
    lines = (line.partition(" #")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]
