"""Keras files, run on torch."""
