"""Color tables of true masks: read, and used to name the classes."""
