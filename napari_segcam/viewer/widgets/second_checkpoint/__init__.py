"""The second checkpoint in the Checkpoint widget."""
