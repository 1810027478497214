"""The Measure widget and its parts."""
