"""Reports as one page of HTML that opens from disk: what a results folder says, and a check."""
