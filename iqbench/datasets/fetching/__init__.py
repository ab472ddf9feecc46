"""Data fetched from its public address, unpacked and verified."""
