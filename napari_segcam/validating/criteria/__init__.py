"""Criteria of acceptance: what the figures of a model must be, and whether they are."""
