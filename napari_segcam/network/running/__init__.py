"""How a module is run on an image, and which modules cannot be."""
