"""Colors, outlines and pixels."""
