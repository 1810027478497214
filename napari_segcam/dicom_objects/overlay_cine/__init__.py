"""Overlays as DICOM: pictures of heatmaps and masks over the scan, for every viewer that shows the scan itself."""

from napari_segcam.dicom_objects.overlay_cine.writing import OverlayObject, burned_in_warning, overlay_cine

__all__ = ["OverlayObject", "burned_in_warning", "overlay_cine"]
