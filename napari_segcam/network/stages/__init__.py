"""Find the stages of a network, name them, and read their outputs as maps."""
