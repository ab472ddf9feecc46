"""Parquet tables: their schema, signatures, atomic writing, and reading."""
