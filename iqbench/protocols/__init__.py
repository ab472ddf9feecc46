"""Named presets of how a field scores."""
