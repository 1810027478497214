"""Metrics of a predicted mask beside a true one."""
