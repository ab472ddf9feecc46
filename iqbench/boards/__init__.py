"""Leaderboards: methods compared on datasets, and averaged over them."""
