"""Pretrained backbones as lists of named layers, one streaming pass, and their weights."""
