"""Documents: sections of tables, figures and text, which are rendered in every format."""
