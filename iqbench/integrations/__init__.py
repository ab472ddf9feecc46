"""Adapters for tools that train networks: one module per tool, each with an extra of its name.

The rest of iqbench imports none of these modules.
"""
