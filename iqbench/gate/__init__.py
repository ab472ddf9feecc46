"""Regression checks and comparisons of two runs."""
