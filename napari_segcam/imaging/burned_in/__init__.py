"""Burned-in graphics: text, calipers, rulers and the like that a scanner drew into the pixels of a frame."""
