"""Loops in C, compiled for the processor, and the functions that call them."""
