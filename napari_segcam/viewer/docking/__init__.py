"""Docks of the window that fit, with their tabs, titles and fonts, and a ring where the keyboard is."""
