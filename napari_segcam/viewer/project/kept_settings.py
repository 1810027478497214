"""Settings of the window that hold for all cases: kept in the log, and brought back with the project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_segcam.preferences.present import preferences
from napari_segcam.review.log.events import Setting
from napari_segcam.viewer.drawing.colormaps import COLORMAPS
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.project.kept_request import plain_request
from napari_segcam.viewer.project.open_project import OpenProject

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession

_LOOK = {"opacity", "colormap", "floor"}


class KeptSettings(QObject):
    """The settings of the window while a project is open.

    Attributes:
        values: that the log has, by name: ``threshold``, ``scale``, ``opacity``, ``colormap``, ``floor``, ``request``,
            ``shown_stages``.
    """

    restored = Signal()

    def __init__(self, session: ReviewSession, project: OpenProject) -> None:
        super().__init__(project)
        self._session = session
        self._project = project
        self._latest: dict[str, Any] = {}
        self.values: dict[str, Any] = {}

    @property
    def shown_stages(self) -> list[str] | None:
        """The stages that the rater chose to see; None if none were chosen."""
        stages = self.values.get("shown_stages")
        return [str(stage) for stage in stages] if isinstance(stages, list) else None

    def number(self, name: str, default: float, low: float = 0.0, high: float = 1.0) -> float:
        """Return a number among the settings; the default if it is missing or out of range."""
        value = self.values.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            return default
        return float(value) if low <= value <= high else default

    @property
    def keeps_look(self) -> bool:
        """Whether the open project has its own colors, opacity and heat threshold: no preference changes them."""
        return self._project.log is not None and bool(_LOOK & self.values.keys())

    @property
    def colormap(self) -> str:
        """The colors of the heatmaps."""
        name = self.values.get("colormap")
        return name if isinstance(name, str) and name in COLORMAPS else preferences().colormap

    def restore(self, values: Mapping[str, Any]) -> None:
        """Take over the settings of a project that was opened."""
        self.values = dict(values)
        self._latest = {}
        if (scale := values.get("scale")) in ("clip", "frame"):
            self._session.set_scale(scale)
        self.restored.emit()

    def apply(self) -> None:
        """Apply the settings to the case that has come into view."""
        layers = self._session.layers()
        if layers is not None and _LOOK & self.values.keys():
            heat = layers.heat
            layers.style(self.colormap, self.number("opacity", heat.opacity), self.number("floor", heat.floor))

    def poll(self) -> None:
        """Append the settings that have changed and settled since the last call."""
        if self._project.log is None or self._session.job is not None:
            return
        values = self._present()
        for name, value in values.items():
            if self._latest.get(name) == value and self.values.get(name) != value:
                self.values[name] = value
                self._project.append(Setting(name=name, value=value))
        self._latest = values

    def _present(self) -> dict[str, Any]:
        session = self._session
        values: dict[str, Any] = {"scale": session.scale}
        if session.network is not None:
            values["threshold"] = round(float(session.threshold), 4)
        review = session.review
        if review is None or review.image is not self._project.layers.image:
            return values
        heat = review.layers.heat
        values |= {"opacity": round(float(heat.opacity), 4), "floor": round(float(heat.floor), 4)}
        values["colormap"] = heat.colormap
        asked = session.reviews.hiding.request_of(review.image)  # of which a blinded reading may hide a part
        request: RunRequest | None = asked or (None if review.plan is None else review.plan.request)
        if request is not None and (plain := plain_request(request)) is not None:
            values["request"] = plain
        if heat.are_chosen:
            values["shown_stages"] = [stage for stage, layer in heat.layers.items() if layer.visible]
        return values
