"""What the worker does, in napari's activity dock."""
