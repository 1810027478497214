"""The layers of a segmentation file: outlines over the frames of a cine, and fractions beneath them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari.components import ViewerModel
from napari.layers import Image
from napari.utils import Colormap
from napari.utils.colormaps import DirectLabelColormap

from napari_segcam.viewer.drawing.colormaps import class_colors
from napari_segcam.viewer.layers.frame_names import frame_word
from napari_segcam.viewer.layers.labels_on_image import add_labels
from napari_segcam.viewer.layers.selection import keep_selection
from napari_segcam.viewer.segmentations.file_layers import FileLayers
from napari_segcam.viewer.segmentations.laid_segmentation import (
    THRESHOLD,
    LaidSegment,
    LaidSegmentation,
    short_names,
    words_about,
)


def add_segmentation(viewer: ViewerModel, image: Image, laid: LaidSegmentation) -> None:
    """Add what a segmentation file says over its image, and keep the selection.

    Segments that do not overlap share a Labels layer, others have one each; fractions have an Image layer each, beneath
    the outlines at the threshold. The layers are read-only, since a file does not change with what is painted: a
    duplicate of them can be painted in.

    Args:
        viewer: that shows the image.
        image: whose frames the file is about.
        laid: what the file says.
    """
    word = frame_word(image)
    file_layers = FileLayers(viewer, image, laid.path, lambda frame: words_about(frame, laid, word))
    colors = _colors_of(laid.segments)
    with keep_selection(viewer.layers):
        for segment in laid.segments if laid.fraction_name else ():
            _add_fractions(file_layers, laid, segment, colors[segment.label])
        for segments, pixels in laid.layers:
            at = f" ≥ {THRESHOLD:g}" if laid.fraction_name else ""
            edited = ", edited" if any(segment.by_reader for segment in segments) else ""
            layer = add_labels(
                viewer,
                file_layers.placement,
                laid.shape,
                f"{short_names(segments)}{at} ({laid.path.name}{edited})",
                _label_colors(segments, colors),
                file_layers.say,
                by_reader=all(segment.by_reader for segment in segments),
                laid=(laid.scale, laid.translate),
                pixels=pixels,
            )
            layer.features = {
                "index": [0, *(segment.label for segment in segments)],
                "segment": ["none", *(segment.name for segment in segments)],
            }
            layer.editable = False
            file_layers.keep(layer, **_facts(segments))
    file_layers.say()


def _add_fractions(file_layers: FileLayers, laid: LaidSegmentation, segment: LaidSegment, color: str) -> None:
    layer = file_layers.add_values(
        lambda frame: laid.fractions_of(segment.label, frame),
        laid.shape,
        (laid.scale, laid.translate),
        name=f"{segment.name} {laid.fraction_name} ({laid.path.name})",
        colormap=_fading(color),
        limits=(0, 1),
        by_reader=segment.by_reader,
    )
    file_layers.keep(layer, **_facts([segment]))


def _facts(segments: Sequence[LaidSegment]) -> dict[str, Any]:
    return {
        "segments": {segment.label: segment.name for segment in segments},
        "details": {segment.name: segment.details for segment in segments},
    }


def _colors_of(segments: Sequence[LaidSegment]) -> dict[int, str]:
    """Return a color for each label: the file's, or a usual one that the file does not use."""
    taken = {segment.color for segment in segments}
    usual = iter([color for color in class_colors(len(segments) + len(taken), overlap=True) if color not in taken])
    return {segment.label: segment.color or next(usual, "#ffffff") for segment in segments}


def _label_colors(segments: Sequence[LaidSegment], colors: dict[int, str]) -> DirectLabelColormap:
    color_of_label: dict[int | None, Any] = {None: "transparent", 0: "transparent"}
    color_of_label.update({segment.label: colors[segment.label] for segment in segments})
    return DirectLabelColormap(color_dict=color_of_label)


def _fading(color: str) -> Colormap:
    """Return a colormap from transparent to a color."""
    red, green, blue = (int(color[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return Colormap([(red, green, blue, 0), (red, green, blue, 1)], name=f"segcam fraction {color}")
