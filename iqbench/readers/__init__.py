"""Readers compute the statistics of rows: by the metrics' own maps, or by a fast path."""
