"""Image stacks: files of one array of pixels, with a header of a research format or without any."""
