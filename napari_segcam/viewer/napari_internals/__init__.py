"""Every replacement of napari's or vispy's internals, each with its guard. Nothing depends on one."""
