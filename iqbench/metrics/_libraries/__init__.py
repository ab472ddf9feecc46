"""One adapter a library, one file each; see `iqbench.metrics._library`."""
