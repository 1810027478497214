"""U-Nets of plain convolution blocks."""
