"""Convolutions with 3x3 kernels by Winograd's minimal filtering, with fewer multiplications."""
