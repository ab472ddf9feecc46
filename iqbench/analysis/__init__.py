"""Tables to tables: no files, no torch."""
