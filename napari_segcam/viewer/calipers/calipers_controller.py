"""The calipers of a session: its measurements, the tool that draws them, and the layers that show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from napari.layers import Image
from qtpy.QtCore import QObject, Signal

from napari_segcam.measuring.diameters import Point
from napari_segcam.measuring.drawn import distance, line_across, move_ellipse_end, move_end
from napari_segcam.measuring.finding_size import measure_finding
from napari_segcam.measuring.measurement import Measurement
from napari_segcam.measuring.pixel_size import PixelSize
from napari_segcam.viewer.calipers.drawings import Handle, drawing_of, drawing_of_suggestion, handles_of
from napari_segcam.viewer.calipers.measured_finding import find, masks_in_view
from napari_segcam.viewer.calipers.measurement_layers import MeasurementLayers
from napari_segcam.viewer.calipers.measurement_store import MeasurementStore
from napari_segcam.viewer.calipers.outdated_watch import OutdatedWatch
from napari_segcam.viewer.calipers.suggestion import Suggestion, suggest
from napari_segcam.viewer.calipers.volume_plan import VolumePlan
from napari_segcam.viewer.click.click_controller import ClickController
from napari_segcam.viewer.click.shapes import frame_shape
from napari_segcam.viewer.mendable_errors import show_info, show_warning
from napari_segcam.viewer.review.controllers import controller_of

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession

Tool = Literal["caliper", "ellipse", "outline"]
HINTS: dict[Tool, str] = {
    "caliper": "Click on both ends, or drag from one to the other",
    "ellipse": "Click on both ends of the longer axis, then drag the ends of the shorter one",
    "outline": "Drag around what you measure",
}
_SHORTEST = 1.0  # pixels: a shorter line is a mistake
_ELLIPSE_SHARE = 0.6  # of the first axis, at the start


class CalipersController(QObject):
    """One per session, as its child; found by ``controller_of``. Points are rows and columns in the frame.

    Attributes:
        tool: what the mouse draws on the image; None while no tool is on.
        suggests_across: whether a diameter across is suggested after a caliper.
        suggestion: the one that is shown now, or None.
        volume: of which the first plane is chosen, and what it needs still.
        chosen: identity of the measurement that is chosen in the list, or None.
    """

    changed = Signal()
    measured = Signal(object)

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(session)
        self._session = session
        self.tool: Tool | None = None
        self.suggests_across = True
        self.suggestion: Suggestion | None = None
        self.chosen: str | None = None
        self._store = MeasurementStore(self._on_measured)
        self.volume = VolumePlan(self.of, self.changed.emit)
        self._layers = MeasurementLayers(session.viewer)
        self._unsaved: WeakKeyDictionary[Image, bool] = WeakKeyDictionary()
        self._watch = OutdatedWatch(session, self.of, self._show, self)
        controller_of(session, ClickController).changed.connect(self._give_way)
        session.frame_changed.connect(self._on_frame)
        session.image_changed.connect(self._on_image)
        session.layers_changed.connect(self._layers.let_go_of_removed)

    # What there is

    def measurements(self, image: Image) -> list[dict[str, Any]]:
        """Return the measurements of an image as plain values."""
        return [each.as_dict() for each in self._store.of(image)]

    def set_measurements(self, image: Image, records: Iterable[Mapping[str, Any]]) -> None:
        """Show measurements that were kept as plain values, in place of those that an image has; no signal is emitted.

        Raises:
            SegcamError: if a record is not that of a measurement; nothing is changed then.
        """
        self._store.restore(image, [Measurement.from_dict(record) for record in records])
        self._unsaved.pop(image, None)
        self.suggestion = None
        self._layers.reveal(image)
        self._watch.ask()
        self._show(image)

    def of(self, image: Image | None) -> tuple[Measurement, ...]:
        """Return the measurements of an image, in the order in which they were made."""
        return () if image is None else self._store.of(image)

    def images(self) -> list[Image]:
        """Return the images that have measurements."""
        return self._store.images()

    @property
    def chosen_measurement(self) -> Measurement | None:
        """The measurement of the chosen image that is chosen in the list."""
        image = self._session.image
        return None if image is None else self._store.get(image, self.chosen)

    def outdated(self, measurement: Measurement) -> str:
        """Return why a measurement of a mask is outdated, in words; empty if it is not."""
        return self._watch.words(measurement)

    def unsaved(self) -> list[str]:
        """Return in words what would be lost with the window."""
        counts = {image.name: len(self.of(image)) for image in self._unsaved if self.of(image)}
        return [f"{count} measurement{'s' * (count > 1)} of {name}, not saved" for name, count in counts.items()]

    def mark_saved(self, images: Iterable[Image]) -> None:
        """Note that the measurements of these images are on disk."""
        for image in images:
            self._unsaved.pop(image, None)

    @property
    def pixel_size(self) -> PixelSize | None:
        """The size of a pixel of the chosen image; None without an image."""
        review = self._session.review
        if review is None:
            return None
        source = review.input.source
        return PixelSize.of(source.spacing_mm, source.pixel_aspect)

    # Measuring

    def measure_finding(self, pixel: tuple[int, int] | None = None) -> None:
        """Measure the finding at a pixel of the frame in view, or the largest one."""
        image, pixel_size = self._session.image, self.pixel_size
        found = find(self._session, pixel)
        if isinstance(found, str) or image is None or pixel_size is None:
            show_warning(str(found))
            return
        frame = self._session.current_frame()
        for each in self.of(image):
            if each.frame == frame and each.source == found.source:
                self.choose(each.identity)
                show_info(f"This finding is measured already: {each.name}.")
                return
        size = measure_finding(found.mask, pixel_size.spacing_mm, found.pixel, aspect=pixel_size.row)
        self._add(image, Measurement.of_finding(frame, size, found.source, self._next_name(image)))

    def draw(self, start: Point, end: Point) -> None:
        """Take a line that the reader has drawn with the tool for calipers or ellipses."""
        image, pixel_size = self._session.image, self.pixel_size
        if image is None or pixel_size is None or self.tool is None:
            return
        points = (self._within(image, start), self._within(image, end))
        if distance(*points, PixelSize()) < _SHORTEST:
            show_warning("The two ends are at the same place: nothing is measured.")
            return
        frame, name = self._session.current_frame(), self._next_name(image)
        if self.tool == "ellipse":
            axis = distance(*points, pixel_size)
            ends = (*points, *line_across(points, _ELLIPSE_SHARE * axis, pixel_size))
            self._add(image, Measurement("ellipse", frame, ends, pixel_size, name))
            return
        caliper = Measurement("distance", frame, points, pixel_size, name)
        if self.suggests_across:
            self.suggestion = suggest(image, caliper, masks_in_view(self._session))
        self._add(image, caliper)

    def trace(self, points: list[Point]) -> None:
        """Take a closed line that the reader has drawn."""
        image, pixel_size = self._session.image, self.pixel_size
        if image is None or pixel_size is None:
            return
        corners = tuple(dict.fromkeys(self._within(image, point) for point in points))
        if len(corners) < 3:
            show_warning("The line is too short: drag around what you measure.")
            return
        frame = self._session.current_frame()
        self._add(image, Measurement("outline", frame, corners, pixel_size, self._next_name(image)))

    def keep_suggestion(self) -> None:
        """Make the suggested diameter across part of its caliper."""
        suggestion, self.suggestion = self.suggestion, None
        if suggestion is not None:
            caliper = self._store.get(suggestion.image, suggestion.caliper.identity) or suggestion.caliper
            self._store.put(suggestion.image, replace(caliper, kind="cross", points=suggestion.points))
        self._show_chosen()

    def drop_suggestion(self) -> bool:
        """Drop the suggested diameter across; return whether there was one."""
        had, self.suggestion = self.suggestion is not None, None
        if had:
            self._show_chosen()
        return had

    def add_volume(self, width: tuple[str, str]) -> None:
        """Add the volume of the plane that was chosen first and of this width, one of ``VolumePlan.widths``."""
        image = self._session.image
        volume = self.volume.finish(image, width)
        if image is not None and volume is not None:
            self._add(image, volume.named(self._next_name(image)))
            self.volume.cancel()

    def _add(self, image: Image, measurement: Measurement) -> None:
        if self.suggestion is not None and self.suggestion.caliper is not measurement:
            self.suggestion = None
        self.chosen = measurement.identity
        self._layers.reveal(image)
        self._store.put(image, measurement)

    # The list

    def choose(self, identity: str | None) -> None:
        """Choose a measurement, and go to its frame."""
        self.chosen = identity
        measurement = self.chosen_measurement
        if measurement is not None and measurement.frame != self._session.current_frame():
            self._session.go_to(measurement.frame)
        self._show_chosen()

    def rename(self, identity: str, name: str) -> None:
        """Give a measurement of the chosen image another name."""
        image = self._session.image
        measurement = None if image is None else self._store.get(image, identity)
        if image is not None and measurement is not None and name.strip() and name.strip() != measurement.name:
            self._store.put(image, measurement.named(name.strip()[:80]))

    def delete(self, identity: str | None = None) -> None:
        """Delete a measurement of the chosen image, by default the chosen one; undo brings it back."""
        image, identity = self._session.image, identity or self.chosen
        if image is not None and identity is not None:
            self.suggestion = None
            self._store.remove(image, identity)

    @property
    def steps(self) -> tuple[bool, bool]:
        """Whether there is a step to undo, and one to do again."""
        return self._store.can_undo, self._store.can_redo

    def undo(self) -> None:
        """Undo the last step."""
        self.suggestion = None
        self._store.undo()

    def redo(self) -> None:
        """Do the last undone step again."""
        self.suggestion = None
        self._store.redo()

    # The tool and the mouse

    def set_tool(self, tool: Tool | None) -> None:
        """Turn a tool on, or off; while a layer's own tool is in use, the layer goes back to pan and zoom."""
        self.tool = tool
        if tool is not None:
            active: Any = self._session.viewer.layers.selection.active
            if active is not None and active.mode != "pan_zoom":
                active.mode = "pan_zoom"
            click = controller_of(self._session, ClickController)
            if click.tool is not None:
                click.set_tool(None)
        self.changed.emit()

    def _give_way(self) -> None:
        """End the tool when that for clicks is turned on."""
        if self.tool is not None and controller_of(self._session, ClickController).tool is not None:
            self.set_tool(None)

    def toggle(self, tool: Tool = "caliper") -> None:
        """Turn a tool on, or off if it is on."""
        self.set_tool(None if self.tool == tool else tool)

    def handles(self) -> list[Handle]:
        """Return the ends that the mouse can drag in the frame in view, those of the suggestion first."""
        image = self._session.image
        if image is None or not self._layers.is_seen(image):
            return []
        frame = self._session.current_frame()
        suggestion = self.suggestion if self.suggestion is not None and self.suggestion.image is image else None
        return handles_of([each for each in self.of(image) if each.frame == frame], suggestion, self.chosen)

    def drag(self, handle: Handle, point: Point) -> None:
        """Move an end while the mouse drags it; ``drop`` ends that."""
        image = self._session.image
        if image is None:
            return
        place = self._within(image, point)
        if handle.is_suggested:
            self.keep_suggestion()
        measurement = self._store.get(image, handle.identity)
        if measurement is None:
            return
        move = move_ellipse_end if measurement.kind == "ellipse" else move_end
        moved = measurement.moved_to(move(measurement.points, handle.index, place, measurement.pixel_size))
        self.chosen = handle.identity
        self._store.drag(image, moved)
        suggestion = self.suggestion
        if suggestion is not None and suggestion.caliper.identity == handle.identity:  # it turns with its caliper
            points = move_end(suggestion.points, handle.index, place, measurement.pixel_size)
            self.suggestion = Suggestion(image, moved, (points[2], points[3]), suggestion.of_mask)
        self._show_chosen()

    def drop(self) -> None:
        """End a drag: the move becomes one step that can be undone."""
        self._store.drop()

    # Showing

    def _next_name(self, image: Image) -> str:
        numbers = [int(each.name) for each in self.of(image) if each.name.isdecimal()]
        return str(max(numbers, default=0) + 1)

    def _within(self, image: Image, point: Point) -> Point:
        rows, columns = frame_shape(image)
        row, column = (
            min(max(float(value), -0.5), length - 0.5) for value, length in zip(point, (rows, columns), strict=True)
        )
        return round(row, 3), round(column, 3)

    def _show(self, image: Image) -> None:
        """Draw the measurements of an image, and let the widgets follow."""
        drawings = [drawing_of(each, each.identity == self.chosen, self.outdated(each)) for each in self.of(image)]
        if self.suggestion is not None and self.suggestion.image is image:
            drawings.append(drawing_of_suggestion(self.suggestion))
        self._layers.show(image, drawings, self._session.current_frame() if image is self._session.image else None)
        self.changed.emit()

    def _show_chosen(self) -> None:
        if self._session.image is not None:
            self._show(self._session.image)

    def _on_measured(self, image: Image) -> None:
        self._unsaved[image] = True
        self._watch.ask()
        self._show(image)
        self.measured.emit(image)

    def _on_frame(self, frame: int) -> None:
        image = self._session.image
        if self.suggestion is not None and self.suggestion.caliper.frame != frame:
            self.suggestion = None
            self._show_chosen()
        self._layers.look_at(image, frame)
        self.changed.emit()

    def _on_image(self) -> None:
        self.suggestion = None
        self._layers.look_at(self._session.image, self._session.current_frame())
        self._show_chosen()
