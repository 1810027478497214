"""Image stacks: files that hold one array of pixels, with a header of the research formats or none at all."""
