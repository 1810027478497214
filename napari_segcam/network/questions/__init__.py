"""What a file does not say about its network, and the answers."""
