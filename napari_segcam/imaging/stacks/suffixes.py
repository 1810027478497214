"""The usual endings of research files' names; what a file is, its content decides."""

from __future__ import annotations

from pathlib import PurePath

MEDICAL_SUFFIXES = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr")
"""Formats that hold an image and nothing else."""
ARRAY_SUFFIXES = (".npy", ".npz", ".mat", ".h5", ".hdf5")
"""Formats that may hold anything."""


def has_stack_suffix(name: str | PurePath) -> bool:
    """Whether a file's name ends as one of a research format does."""
    return str(name).lower().endswith(MEDICAL_SUFFIXES + ARRAY_SUFFIXES)
