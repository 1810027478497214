"""Imported before torch by the benchmarks of what commands do: torch's threads stay awake as they do there."""

from __future__ import annotations

from napari_segcam.tuning.openmp import keep_threads_awake

keep_threads_awake()
