"""What a command shows while the user waits, and what it says when Ctrl-C ends it."""
