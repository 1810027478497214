"""Import this before torch in benchmarks of commands: torch's threads then stay awake as they do in the commands."""

from __future__ import annotations

from napari_segcam.tuning.openmp import keep_threads_awake

keep_threads_awake()
