"""Convolutions with a 3x3 kernel by Winograd's minimal filtering: fewer multiplications."""
