"""Measuring: diameters, areas, perimeters and volumes of findings and of lines that a reader draws."""
