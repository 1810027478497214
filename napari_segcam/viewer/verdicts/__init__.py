"""Verdicts of the reader, and what a blinded reading hides from them."""
