"""Tests of DICOM Segmentations."""
