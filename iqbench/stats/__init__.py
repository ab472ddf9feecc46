"""Statistics of arrays: intervals, tests, coefficients."""
