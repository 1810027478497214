"""The command that writes de-identified copies."""
