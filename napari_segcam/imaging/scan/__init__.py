"""The part of a frame that holds the scan."""
