"""Tuning of the whole process, for computing on a CPU: each switch with its measured gain, and a way to leave it off.

``NAPARI_SEGCAM_TUNING=off`` in the environment leaves all of them off. ``benchmarks/tuning.py`` measures the gains.
"""
