"""The usual suffixes of research files; the kind of a file is recognized by its content."""

from __future__ import annotations

from pathlib import PurePath

MEDICAL_SUFFIXES = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr")
"""Formats that hold only an image."""
ARRAY_SUFFIXES = (".npy", ".npz", ".mat", ".h5", ".hdf5")
"""Formats that may hold anything."""


def has_stack_suffix(name: str | PurePath) -> bool:
    """Whether a file's name has a suffix of a research format."""
    return str(name).lower().endswith(MEDICAL_SUFFIXES + ARRAY_SUFFIXES)
