"""Tuning of the whole process, for computing on a CPU and for a quick start, and a way to leave it off.

``NAPARI_SEGCAM_TUNING=off`` in the environment leaves all of it off. ``benchmarks/tuning.py`` and
``benchmarks/checkpoints/cold_start.py`` measure what each switch gains.
"""
