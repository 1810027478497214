"""The napari layers of the plugin."""
