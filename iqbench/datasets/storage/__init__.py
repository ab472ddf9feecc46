"""Files that are not in local folders: in object stores, on web servers, or inside archives.

A `Storage` lists files once and opens each by its name; a `StoredPath` is a path in it, which
matching and layouts use like the `pathlib.Path` of a local folder.
`iqbench.datasets.storage.places.find_place` makes one of the two from the name that a user gives.
"""
