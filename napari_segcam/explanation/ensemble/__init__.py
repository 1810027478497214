"""Explaining an ensemble: its members one by one, and what they give together."""
