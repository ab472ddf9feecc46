"""Adapters of other libraries, one file each; see `iqbench.metrics._library`."""
