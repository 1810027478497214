"""Pixels without the screen around the scan, and how they are stored."""
