"""Heatmaps as DICOM: the raw maps of one stage as a Parametric Map."""

from napari_segcam.dicom_objects.parametric_map.placement import Placement
from napari_segcam.dicom_objects.parametric_map.reading import MapFrame, ReadParametricMap, read_parametric_map
from napari_segcam.dicom_objects.parametric_map.writing import HeatmapObject, parametric_map

__all__ = ["HeatmapObject", "MapFrame", "Placement", "ReadParametricMap", "parametric_map", "read_parametric_map"]
