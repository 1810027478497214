"""The check of a network on some images: which stage to look at, which maps hold up, and whether overlays decide."""
