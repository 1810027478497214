"""Perturbing: frames as a scanner, an export or an annotation would change them, in the units of a sonographer."""
