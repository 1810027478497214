"""The review of one image, and the session of one viewer."""
