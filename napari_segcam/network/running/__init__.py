"""Prepare a module and run it on an image, or refuse it."""
