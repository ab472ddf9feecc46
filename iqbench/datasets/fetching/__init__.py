"""Fetch data from its public address, unpack it and verify it."""
