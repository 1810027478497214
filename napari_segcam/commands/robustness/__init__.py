"""The command ``robustness``."""
