"""The pages of a validation: its words, tables and plots, and its files beside the report of its run."""
