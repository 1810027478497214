"""Commands with a log, and the report of a problem."""
