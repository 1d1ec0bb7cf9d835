"""Contract tests: a contract's promises compiled into as few scans of the data as possible, and what they found."""
