"""De-identified copies in the window."""
