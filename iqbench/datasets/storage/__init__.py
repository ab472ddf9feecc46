"""Files that are not in local folders: object stores and web servers, and files inside archives.

A `Storage` lists files once and opens each by its name; a `StoredPath` is a path in it, which
matching and layouts use as they use the `pathlib.Path` of a local folder. What a user names is
turned into one or the other by `iqbench.datasets.storage.places.find_place`.
"""
