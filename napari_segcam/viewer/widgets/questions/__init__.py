"""Questions about a network in the Checkpoint widget."""
