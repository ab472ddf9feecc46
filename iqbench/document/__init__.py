"""One document, a list of sections of tables and words, and how each format sets it."""
