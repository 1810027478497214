"""The model card: shown, filled in and saved."""
