"""A document: a list of sections with tables, figures and words, rendered in every format."""
