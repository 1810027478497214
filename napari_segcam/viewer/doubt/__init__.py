"""Doubt in the window: which masks of a cine can be relied on, measured while there is nothing else to do."""
