"""Pages of the report of a review: its numbers as text, tables and plots."""
