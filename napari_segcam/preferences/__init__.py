"""Preferences of the user: kept in a file, overruled by environment variables, read by whatever they act on."""
