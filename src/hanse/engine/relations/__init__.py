"""Relations: the only way from published files to an engine that runs a caller's SQL."""
