"""The layers of a viewer that the user can choose: images, painted regions and drawings."""

from __future__ import annotations

from napari.components import ViewerModel
from napari.layers import Image, Labels, Shapes

from napari_segcam.viewer.layers.placement import frame_count, is_of_file, is_ours


class LayerChoices:
    """The user's own layers, by what they can be used for."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer

    def images(self) -> list[Image]:
        """Return the image layers that can be explained."""
        return [layer for layer in self._viewer.layers if isinstance(layer, Image) and not is_ours(layer)]

    def regions(self) -> list[Labels]:
        """Return the Labels layers whose pixels can be the region: the user's, and those of segmentation files."""
        labels = [layer for layer in self._viewer.layers if isinstance(layer, Labels)]
        return [layer for layer in labels if not is_ours(layer) or is_of_file(layer)]

    def drawings(self) -> list[Shapes]:
        """Return the Shapes layers in which the user can have drawn around the scan."""
        return [layer for layer in self._viewer.layers if isinstance(layer, Shapes) and not is_ours(layer)]


def frame_in_view(viewer: ViewerModel, image: Image | None) -> int:
    """Return the number of a cine's frame in view; 0 for a still, or for None."""
    if image is None or image.ndim != 3:
        return 0
    frame = round(float(image.world_to_data(viewer.dims.point)[0]))
    return min(max(frame, 0), (frame_count(image) or 1) - 1)


def show_frame(viewer: ViewerModel, image: Image | None, frame: int) -> None:
    """Bring a frame of a cine into view."""
    if image is not None and image.ndim == 3:
        axis = viewer.dims.ndim - image.ndim
        viewer.dims.set_point(axis, float(image.data_to_world((frame, 0, 0))[0]))
