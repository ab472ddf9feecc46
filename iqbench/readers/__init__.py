"""How rows become sums: map by map as the metrics say, or in one reading by a kernel for GPUs."""
