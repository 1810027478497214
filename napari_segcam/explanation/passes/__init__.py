"""One pass through a network, within the memory of the device."""
