"""Correlation of metrics with each other, and with human opinion."""
