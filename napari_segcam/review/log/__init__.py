"""The log of one rater: events, one a line, and the state that follows from them."""
