"""Compiled loops in C, and the functions that call them."""
