"""iqbench inside the tools that train networks: one module a tool, each with an extra of its name.

Nothing here is imported by the rest of iqbench.
"""
