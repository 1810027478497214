"""Two checkpoints compared on the same images: their masks, each with the other and with true masks."""
