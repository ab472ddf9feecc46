"""The layouts of datasets, one file each."""
