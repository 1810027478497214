"""The model card: show, edit and save it."""
