"""Failures: which cases of a run went wrong, how, and what they share."""
