"""Files that the user drops in the window or chooses: each goes to what can open it, or is refused in words."""
