"""Stills, TIFF files and animations."""
