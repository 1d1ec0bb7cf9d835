"""Worker processes: where the SQL of callers runs, with operating-system limits and nothing to steal."""
