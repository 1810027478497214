"""Which network do these weights belong to: one family of networks a file."""
