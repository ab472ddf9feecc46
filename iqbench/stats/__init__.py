"""Statistics on arrays: intervals, tests and coefficients."""
