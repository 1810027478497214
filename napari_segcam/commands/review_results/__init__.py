"""The commands ``review report`` and ``review export``: what becomes of a review."""
