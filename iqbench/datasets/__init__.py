"""Which reference images exist and under which protocol: datasets.yaml and on-disk layouts."""
