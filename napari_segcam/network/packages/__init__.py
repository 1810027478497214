"""Packages: folders and zip archives that hold weights together with a description of how to use them."""
