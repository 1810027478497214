"""Segmentations and maps from DICOM files, as layers over the images that they were made of."""
