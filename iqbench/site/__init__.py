"""A leaderboard as a folder of pages: an index, a page a dataset, the history, downloads."""
