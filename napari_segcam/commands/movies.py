"""The movies that ``explain --movie`` writes beside the pictures of each frame."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from napari_segcam.errors import SegcamError

if TYPE_CHECKING:
    from rich.progress import Progress

    from napari_segcam.batch.pipeline import ExplainPipeline
    from napari_segcam.explanation.explanation import Explanation
    from napari_segcam.imaging.cine import Cine
    from napari_segcam.reporting.clip import Clip
    from napari_segcam.reporting.overlay_style import OverlayStyle


class Movies:
    """One movie for each of some stages, each method and each class.

    Args:
        pipeline: makes the explanations.
        stages: names of the stages.

    Raises:
        SegcamError: if no method explains one of the stages.
    """

    def __init__(self, pipeline: ExplainPipeline, stages: Iterable[str]) -> None:
        from napari_segcam.network.stages.stage import stage_aliases

        full_names = stage_aliases(pipeline.network.stages)
        self._stages = list(dict.fromkeys(full_names.get(stage, stage) for stage in stages))
        explained = list(dict.fromkeys(stage.name for explainer in pipeline.explainers for stage in explainer.stages))
        for stage in self._stages:
            if stage not in explained:
                raise SegcamError(
                    f"There can be no movie of {stage}, which is not explained. Choose from: {', '.join(explained)}; "
                    "or name it in --stages too."
                )
        self._clips: dict[tuple[str, int | None, str], Clip] = {}

    def add(self, number: int, explanation: Explanation) -> None:
        """Add the explanation of a frame."""
        from napari_segcam.reporting.clip import Clip

        for stage in self._stages:
            if stage in explanation.heatmaps:  # a method may have its own stage instead
                key = (explanation.method, explanation.target.class_index, stage)
                self._clips.setdefault(key, Clip(stage)).add_frame(number, explanation)

    def write(self, folder: Path, cine: Cine, style: OverlayStyle, progress: Progress, stop: threading.Event) -> bool:
        """Write all movies; return whether the user let it finish."""
        task = progress.add_task("Movies", total=sum(map(len, self._clips.values())), visible=bool(self._clips))
        for clip in self._clips.values():
            with closing(clip.write(folder, cine, style)) as frames:
                for _ in frames:
                    progress.advance(task)
                    if stop.is_set():
                        return False
        return True
