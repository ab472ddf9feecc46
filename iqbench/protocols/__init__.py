"""Protocols: named presets of how pixels are prepared for scoring."""
