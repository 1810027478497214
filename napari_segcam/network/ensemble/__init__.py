"""Ensembles: several networks that segment together as one."""
