"""Docks of the window that fit: their tabs, their titles and their fonts."""
