"""Ensembles in the window: where their members disagree."""
