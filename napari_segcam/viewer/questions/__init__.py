"""What a file does not say about its network: asked, shown on the frame in view, and answered."""
