"""What keeps the window free."""
