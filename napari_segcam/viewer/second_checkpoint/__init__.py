"""A second checkpoint, B, beside the first."""
