"""The first steps: what a new user can do next, the sample in one click, and files dropped anywhere in the window."""
