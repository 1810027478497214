"""Click to explain: the user points at a place in the frame, and the heat explains what is there."""
