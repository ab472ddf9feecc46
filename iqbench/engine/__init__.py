"""The loop of a run: it reads images, computes metrics and writes rows."""
