"""The only loop: reference, methods, metrics, rows."""
