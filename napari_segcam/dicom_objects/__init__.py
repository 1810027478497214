"""DICOM objects made from results: segmentations, heatmaps, overlays and reports that belong to a patient's study."""
