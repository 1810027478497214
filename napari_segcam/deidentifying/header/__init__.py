"""Headers without identifiers: which elements stay, and with which values."""
