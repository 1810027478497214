"""The explained target: the class, the region, and the score that follows from them."""
