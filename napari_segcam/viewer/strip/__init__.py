"""The cine strip: one column per frame, and curves of the figures."""
