"""Numbers of a reading, each with the count behind it and an interval, or the reason why it is undefined."""
