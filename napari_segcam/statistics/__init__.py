"""Statistics over cases: intervals, differences and the number of cases they need."""
