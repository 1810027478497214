"""Heatmaps as DICOM: the raw maps of one stage as a Parametric Map."""

from napari_segcam.dicom_objects.parametric_map.writing import HeatmapObject, parametric_map

__all__ = ["HeatmapObject", "parametric_map"]
