"""The layers of the plugin."""
