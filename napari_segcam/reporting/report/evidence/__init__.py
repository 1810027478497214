"""Evidence in a report: whether the heatmaps of a run mean anything, as tables and words."""
