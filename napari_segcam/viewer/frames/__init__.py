"""Frames: what is asked of them, their computing, their results and their order. No layer and no widget."""
