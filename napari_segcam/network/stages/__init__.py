"""The stages of a network: found, named, and laid out as maps."""
