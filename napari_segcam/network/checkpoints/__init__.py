"""A file or folder becomes named tensors, or a network, with what was saved beside them."""
