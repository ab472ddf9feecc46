"""MATLAB files, read strictly."""
