"""What keeps the window responsive."""
