"""Tiles: images that a network sees in overlapping parts, whose outputs and heatmaps are stitched without seams."""
