"""Images with human opinions: their tables, and common parts of their layouts."""
