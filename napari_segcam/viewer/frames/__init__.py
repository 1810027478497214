"""Frames: what to compute for each, the computation, its results and its order. No layer and no widget."""
