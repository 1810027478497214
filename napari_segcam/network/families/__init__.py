"""Recognize the network that weights belong to, and build it; one family of networks a file."""
