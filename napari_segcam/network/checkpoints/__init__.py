"""Read a file or folder as named tensors or a network, with its settings."""
