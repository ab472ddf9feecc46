"""The main job on embedded photographs with classical methods."""
