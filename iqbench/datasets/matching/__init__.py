"""Methods' outputs, found by name; nothing is opened."""
