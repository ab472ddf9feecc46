"""Read ranges of bytes of local files and of addresses, with retries and a block cache."""
