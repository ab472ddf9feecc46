"""Bytes in files and at addresses: any range is read, requests are tried again, blocks are kept."""
