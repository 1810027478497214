"""Names of layers of images from a PACS: what was examined, never who; names go into the names of exported files."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_segcam.imaging.dicomweb.found import FoundInstance, FoundSeries


def layer_name(series: FoundSeries, instance: FoundInstance, *, is_only: bool) -> str:
    """Return the name of a layer, such as "Uterus sagittal 3".

    Args:
        series: that the image belongs to.
        instance: the image.
        is_only: whether it is the only one of its series; others have their number.
    """
    words = series.series_description or series.study_description or f"{series.modality} {series.date}"
    words = " ".join(words.split()) or "Image"
    return words if is_only or instance.number is None else f"{words} {instance.number}"
