"""DICOM Segmentations: writing the masks of a cine, and reading those of any program."""
