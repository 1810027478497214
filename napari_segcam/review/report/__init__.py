"""The report of a review: what its raters did, in numbers, for people and as tables."""
