"""Differentiable losses over the same formulas as the metrics."""
