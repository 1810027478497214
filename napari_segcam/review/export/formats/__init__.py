"""Formats in which pairs are written."""
