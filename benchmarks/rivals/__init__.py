"""What the engine is compared with: the package grad-cam, in the same process and in one of its own."""
