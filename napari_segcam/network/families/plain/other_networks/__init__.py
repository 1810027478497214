"""U-Nets with a well-known encoder, and networks that are not U-Nets."""
