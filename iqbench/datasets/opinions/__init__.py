"""Images that people judged: their tables, and what their layouts have in common."""
