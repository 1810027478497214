"""The dock widgets, one per file, and their shared parts."""
