"""Every replacement of napari's or vispy's internals, and every use of a private attribute, each with its guard.

The plugin works without any replacement: a preference, or NAPARI_SEGCAM_PLAIN_NAPARI=1 in the environment, switches all
of them off.
"""
