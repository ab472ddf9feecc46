"""A leaderboard as a folder of pages: an index, a page per dataset, the history, downloads."""
