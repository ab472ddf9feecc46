"""Pages to look at: the report, and the page of a check."""
