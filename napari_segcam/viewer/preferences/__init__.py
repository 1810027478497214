"""The preferences in the window: what a change does at once, and the same values in napari's own dialog."""
