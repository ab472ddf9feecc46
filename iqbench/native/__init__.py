"""Loops that a compiler turns into a processor's own instructions, and the door to them."""
