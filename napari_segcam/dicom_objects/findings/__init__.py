"""Findings: the connected parts of a mask, measured, and followed over the frames of a cine."""
