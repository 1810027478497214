"""Keras files, run with torch."""
