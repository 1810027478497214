"""Collected heat: the heatmaps of one method and class in the frames of an export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import FileDataset

from napari_segcam.dicom_objects.algorithm import Algorithm
from napari_segcam.dicom_objects.exporting.options import FRAMES_WAITED, DicomOptions, FirstStages
from napari_segcam.dicom_objects.findings.packed_array import PackedArray
from napari_segcam.dicom_objects.overlay_cine.caption import ColorBar
from napari_segcam.dicom_objects.overlay_cine.writing import OverlayObject
from napari_segcam.dicom_objects.parametric_map.writing import HeatmapObject
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.errors import SegcamError
from napari_segcam.explanation.stage_maps import find_method
from napari_segcam.files import safe_name
from napari_segcam.number_format import compact
from napari_segcam.reporting.correction import Correction, explained_mask
from napari_segcam.reporting.figures import color_heat, display
from napari_segcam.reporting.heat_scale import shared_scale
from napari_segcam.reporting.overlay_style import OverlayStyle
from napari_segcam.reporting.overlays import empty_message, overlay
from napari_segcam.reporting.sheets import explained_classes, outline_colors

if TYPE_CHECKING:  # it imports torch
    from napari_segcam.explanation.explanation import Explanation, Heatmap
    from napari_segcam.imaging.cine import Cine

OVERLAY = "overlay.dcm"
_OVER_THE_FRAME = ("contour", "heat")


class CollectedHeat:
    """The heatmaps of some frames. Those of all stages wait on disk, those that are drawn over the cine in memory.

    Args:
        source: the images of the cine.
        first: of the explanations; all others have the same method, class and cine.
        algorithm: the network.
        options: of the export.
        first_stages: when ``add`` says which stage to look at first. Until then each may become the overlay.
    """

    def __init__(
        self,
        source: SourceImages,
        first: Explanation,
        algorithm: Algorithm,
        options: DicomOptions,
        *,
        first_stages: FirstStages = "never",
    ) -> None:
        self._source, self._algorithm, self._options = source, algorithm, options
        self._title = find_method(first.method).title
        self._classes = explained_classes(first)
        self._maps = {
            name: HeatmapObject(source, name, algorithm=algorithm, method_title=self._title, class_name=self._classes)
            for name in first.heatmaps
        }
        self._problems: dict[str, SegcamError] = {}
        self._usual = self._usual_stage(first)
        self._drawn: dict[str, dict[int, Heatmap]] = {
            name: {} for name in ([self._usual] if first_stages == "never" else first.heatmaps)
        }
        self._is_said_once = first_stages == "once"
        self._outlines: dict[int, tuple[PackedArray, tuple[str, ...]]] = {}
        self._corrected: dict[int, bool] = {}
        self._shown_first: Counter[str] = Counter()

    def add(
        self,
        number: int,
        explanation: Explanation,
        correction: Correction | None = None,
        shown_first: str | None = None,
    ) -> None:
        """Add the heatmaps of a frame.

        Args:
            number: of the frame, later than those before.
            explanation: of the frame.
            correction: of the frame, if a reader painted one; if it is explained, it is outlined.
            shown_first: the stage to look at first in this frame, as far as evidence tells.
        """
        for name, heatmap in explanation.heatmaps.items():
            if name in self._maps and name not in self._problems:
                try:
                    self._maps[name].add(number, heatmap)
                except SegcamError as error:  # the other objects can still be written
                    self._problems[name] = error
            if name in self._drawn:
                self._drawn[name][number] = heatmap
        mask, colors = explained_mask(explanation, correction), outline_colors(explanation, correction)
        self._outlines[number] = PackedArray.of(mask), colors
        if correction is not None:
            self._corrected[number] = correction.is_explained
        if shown_first is not None and shown_first in self._drawn:
            self._shown_first[shown_first] += 1
        if self._is_said_once and (self._shown_first or len(self._outlines) == FRAMES_WAITED):
            stage = self._overlay_stage
            self._drawn = {stage: self._drawn[stage]}

    def objects(self, cine: Cine, style: OverlayStyle) -> Iterator[tuple[str, Callable[[], FileDataset]]]:
        """Yield the name of each file and how its object is made: a map of each stage, and the overlay.

        Args:
            cine: that the frames belong to.
            style: colormap and opacity of the overlay.
        """
        for name in self._maps:
            yield f"heatmap_{safe_name(name)}.dcm", lambda name=name: self._map(name)  # type: ignore[misc]
        if self._drawn:
            yield OVERLAY, lambda: self._overlay(cine, style)

    def _map(self, name: str) -> FileDataset:
        if name in self._problems:
            raise self._problems[name]
        return self._maps[name].dataset()

    def _overlay(self, cine: Cine, style: OverlayStyle) -> FileDataset:
        stage = self._overlay_stage
        heatmaps = self._drawn[stage]
        scale = shared_scale(heatmaps.values())
        is_signed = next(iter(heatmaps.values())).signed
        colors = color_heat(
            np.linspace(-1 if is_signed else 0, 1, 256, dtype=np.float32)[None], style.colormap, signed=is_signed
        )
        bar = ColorBar(colors[0], compact(scale.low), f"{compact(scale.high)} (all frames)")
        made = OverlayObject(
            self._source,
            algorithm=self._algorithm,
            title=f"{stage}, {self._title}, {self._classes}",
            compression=self._options.compression,  # type: ignore[arg-type]
            bar=bar,
        )
        kind = style.overlays[0] if style.overlays[0] in _OVER_THE_FRAME else "contour"
        for number in sorted(heatmaps):
            heatmap = heatmaps[number]
            packed, outline = self._outlines[number]
            picture = display(cine[number], cine.value_range)
            drawn = overlay(kind, picture, heatmap, packed.unpack(), style, scale=scale, colors=outline)
            made.add(number, drawn, self._note(number, heatmap))
        return made.dataset()

    @property
    def _overlay_stage(self) -> str:
        return self._shown_first.most_common(1)[0][0] if self._shown_first else self._usual

    def _note(self, number: int, heatmap: Heatmap) -> str:
        words = [] if heatmap.reason is None else [empty_message(heatmap.reason)]
        is_explained = self._corrected.get(number)
        if is_explained is not None:
            words.append(
                "Reader's correction explained." if is_explained else "Corrected: the prediction is explained."
            )
        return " ".join(words)

    def _usual_stage(self, first: Explanation) -> str:
        """Return the stage that the user wants, else the deepest encoder stage, as in the window, else the first."""
        wanted = self._options.overlay_stage
        if wanted is not None and wanted in first.heatmaps:
            return first.heatmaps[wanted].stage.name
        encoders = [name for name, heatmap in first.heatmaps.items() if heatmap.stage.kind == "encoder"]
        return encoders[-1] if encoders else next(iter(first.heatmaps))
