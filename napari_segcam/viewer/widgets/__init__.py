"""The dock widgets, one a file."""
