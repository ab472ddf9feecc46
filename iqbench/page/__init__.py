"""HTML pages: the report of a results folder, and the page of a check."""
