"""The dialog that shows the report of a problem."""
