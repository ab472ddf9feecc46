"""Tables to text for people: terminal, Markdown, CSV, JSON."""
