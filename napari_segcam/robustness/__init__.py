"""Robustness: how masks and heatmaps of a network change when frames are perturbed."""
