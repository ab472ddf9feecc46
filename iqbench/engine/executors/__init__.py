"""Who scores units of work: this process, several processes, or a cluster."""
