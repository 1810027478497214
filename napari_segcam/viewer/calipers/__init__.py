"""Calipers in the window: diameters of findings and of lines that the reader draws, kept with their frame."""
