"""What mends problems in the window: the buttons beside messages."""
