"""A Parametric Map as a file that is opened over its image: a heatmap layer at the map's own resolution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from numpy.typing import NDArray

from napari_segcam.dicom_objects.parametric_map.reading import read_parametric_map
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.imaging.dicom.dicom_cine import dicom_errors
from napari_segcam.imaging.dicom.header import read_header
from napari_segcam.viewer.drawing.colormaps import COLORMAPS, heat_colormap, signed_colormap
from napari_segcam.viewer.layers.frame_names import frame_word
from napari_segcam.viewer.layers.placement import OURS, Pair, is_of_file
from napari_segcam.viewer.layers.selection import keep_selection
from napari_segcam.viewer.segmentations.file_layers import FileLayers
from napari_segcam.viewer.segmentations.file_object import AddLayers

_MAP = "map"


@dataclass(frozen=True, eq=False)
class _LaidMap:
    """The values of a map on the frames of a cine.

    Attributes:
        path: of the file.
        name: of the heat, such as its stage.
        values: ``(h, w)`` by frame, NaN where there is none.
        reasons: why the map of a frame is empty, by frame.
        shape: ``(h, w)``.
        laid: scale and translation of its pixels in those of the frame.
        limits: smallest and largest value of the colors.
        facts: about the map, for the layer's metadata.
    """

    path: Path
    name: str
    values: Mapping[int, NDArray[np.float32]]
    reasons: Mapping[int, str]
    shape: tuple[int, int]
    laid: tuple[Pair, Pair]
    limits: tuple[float, float]
    facts: Mapping[str, str]

    def words_about(self, frame: int, word: str) -> str:
        """Return what the canvas says about a frame where the map shows nothing."""
        if frame in self.reasons:
            return f"{self.path.name}: no heat, since {self.reasons[frame]}"
        return "" if frame in self.values else f"{self.path.name} says nothing about this {word}"


class MapFile:
    """A Parametric Map that was read, in a worker; see ``FileObject`` for its attributes.

    Args:
        path: of the file.

    Raises:
        SegcamError: if it cannot be read.
    """

    kind = "parametric map"
    size = ""  # a map has a resolution of its own

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = read_parametric_map(path)
        self.uids: tuple[str, ...] = tuple(dict.fromkeys(frame.sop_instance_uid for frame in self._read.frames))
        with dicom_errors(path), path.open("rb") as file:
            self.patient_id = str(read_header(file, ["PatientID"]).get("PatientID") or "").strip()

    def lay(self, source: SourceImages) -> Iterator[AddLayers | None]:
        read = self._read
        placement = read.placement_on(source)
        values, reasons = {}, {}
        low, high = 0.0, 0.0
        for frame, index in read.numbers_in(source).items():
            reason = read.frames[index].reason
            if reason is not None:
                reasons[frame] = reason
                continue
            values[frame] = read.values(index)
            low, high = min(low, _least(values[frame])), max(high, -_least(-values[frame]))
            yield None
        peak = max(-low, high) or 1.0
        laid = _LaidMap(
            self.path,
            " ".join(part for part in (read.stage, read.method) if part) or read.description or "map",
            values,
            reasons,
            read.shape,
            (placement.scale, placement.translate),
            (-peak if low < 0 else 0.0, peak),
            {"stage": read.stage, "method": read.method, "class": read.class_name, "unit": read.unit},
        )

        def add(viewer: ViewerModel, image: Image) -> None:
            _add_map(viewer, image, laid)

        yield add


def _least(values: NDArray[np.float32]) -> float:
    return float(np.nanmin(values)) if np.isfinite(values).any() else 0.0


def _add_map(viewer: ViewerModel, image: Image, laid: _LaidMap) -> None:
    word = frame_word(image)
    # Of two heatmaps over each other neither can be seen: the first one stays in view.
    visible = not any(layer.visible for layer in viewer.layers if is_of_file(layer) and _MAP in layer.metadata[OURS])
    file_layers = FileLayers(viewer, image, laid.path, lambda frame: laid.words_about(frame, word))
    with keep_selection(viewer.layers):
        layer = file_layers.add_values(
            laid.values.get,
            laid.shape,
            laid.laid,
            name=f"{laid.name} ({laid.path.name})",
            colormap=signed_colormap(0.0) if laid.limits[0] < 0 else heat_colormap(COLORMAPS[0], 0.0),
            limits=laid.limits,
            interpolation2d="linear",
            visible=visible,
        )
    file_layers.keep(layer, **{_MAP: dict(laid.facts)})
    file_layers.say()
