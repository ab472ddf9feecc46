"""Find the outputs of methods by name; no file is opened."""
