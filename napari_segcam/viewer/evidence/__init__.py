"""Evidence in the window: what a heatmap is worth, measured in the background and said beside it."""
