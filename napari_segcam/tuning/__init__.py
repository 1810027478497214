"""Tuning of the whole process: each switch with the gain that was measured, and a way to leave it off."""
