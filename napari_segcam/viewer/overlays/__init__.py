"""Burned-in graphics in the window: found, corrected by painting, taken away, pasted, and what that does."""
