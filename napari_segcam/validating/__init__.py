"""Validating: the numbers of a model's acceptance from a finished run, over cases and never over frames."""
