"""Networks of unknown names that are read by the shapes of their weights, and offered, never used silently."""
