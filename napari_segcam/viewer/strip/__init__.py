"""The cine strip."""
