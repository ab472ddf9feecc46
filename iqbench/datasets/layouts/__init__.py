"""One file an on-disk layout."""
