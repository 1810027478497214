"""Shared by the methods that run a network many times: cost, progress, cancelling, and running it from a stage on."""
