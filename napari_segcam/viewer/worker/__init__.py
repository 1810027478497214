"""The one thread that runs the network."""
