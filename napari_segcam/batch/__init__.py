"""Many images: options of explanations, and runs over many images that can be resumed and shared by processes."""
