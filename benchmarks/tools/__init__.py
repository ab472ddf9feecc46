"""One file a tool; each has `evaluate(images, jobs, table, advance)`."""
