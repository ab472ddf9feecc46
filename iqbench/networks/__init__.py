"""Pretrained backbones as lists of named layers, streaming passes, and their weights."""
