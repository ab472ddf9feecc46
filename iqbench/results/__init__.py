"""Parquet tables: schema, signatures, atomic writes, reading back."""
