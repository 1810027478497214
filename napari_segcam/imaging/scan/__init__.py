"""The scan: the part of a frame that shows tissue."""
