"""Review projects: the cases, and what each rater does, kept in a folder."""
