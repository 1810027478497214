"""Burned-in graphics of the chosen image: found, measured and pasted in the worker, and what is known of the frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

from napari.layers import Image
from qtpy.QtCore import QObject, QTimer, Signal

from napari_segcam.viewer.layers.frame_names import frame_word
from napari_segcam.viewer.mendable_errors import show_warning
from napari_segcam.viewer.overlays.graphics_layer import GraphicsLayer
from napari_segcam.viewer.overlays.shown_trial import ShownTrial
from napari_segcam.viewer.overlays.trial_job import (
    Calipers,
    Setup,
    Trial,
    find_job,
    with_calipers_job,
    without_graphics_job,
)

if TYPE_CHECKING:  # torch comes with these, and is imported in the worker first
    from napari_segcam.imaging.burned_in.calipers import CaliperStyle
    from napari_segcam.imaging.burned_in.graphics import Graphics
    from napari_segcam.viewer.review.session import ReviewSession

Kind = Literal["without", "with"]
_WORDS: dict[Kind, str] = {"without": "without graphics", "with": "with calipers"}
_OF_CALIPERS = (
    ("taking the burned-in graphics away costs the mask", "these calipers change the mask by"),
    ("taking the burned-in graphics away changes", "these calipers change"),
    ("the burned-in graphics carry nothing of", "these calipers hardly change"),
)

NOTHING_MARKED = "No graphics are marked in this {frame}: find them, or paint them."
NO_POINTS = "Click where the calipers go first, once or twice in this {frame}."


@dataclass(frozen=True, eq=False)
class _Outcome:
    """A trial, and what it holds for.

    Attributes:
        trial: what it has given.
        image: whose frame it is.
        frame: its number.
        threshold: of the masks.
    """

    trial: Trial
    image: Image
    frame: int
    threshold: float


class OverlaysController(QObject):
    """One per session, as its child; found by ``controller_of``.

    Attributes:
        summary: what was found last in the frame in view, in words; empty if nothing was looked for there.
    """

    changed = Signal()

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(session)
        self._session = session
        self._layers: WeakKeyDictionary[Image, GraphicsLayer] = WeakKeyDictionary()
        self._outcomes: dict[Kind, _Outcome] = {}
        self._summary: tuple[Image, int, str] | None = None
        self._shown = ShownTrial(session.viewer)
        self._shown_kind: Kind | None = None
        session.network_changed.connect(self._forget)
        session.image_changed.connect(self._forget)
        for changed in (session.background.changed, session.job_changed, session.frame_changed, session.layers_changed):
            changed.connect(self._on_change)

    # What is known

    @property
    def layers(self) -> GraphicsLayer | None:
        """The layers of the chosen image; None without an image."""
        image = self._session.image
        if image is None:
            return None
        if image not in self._layers:
            self._layers[image] = GraphicsLayer(self._session.viewer, image, self._on_painted)
        return self._layers[image]

    @property
    def is_busy(self) -> bool:
        """Whether the background is doing anything."""
        return self._session.background.job is not None

    @property
    def is_own_job(self) -> bool:
        """Whether the background is doing something of these."""
        job = self._session.background.job
        return job is not None and job.kind == "overlays"

    def summary(self) -> str:
        """Return what was found in the frame in view, in words; empty if nothing was looked for there."""
        if self._summary is None:
            return ""
        image, frame, words = self._summary
        return words if image is self._session.image and frame == self._session.current_frame() else ""

    def outcome(self, kind: Kind) -> Trial | None:
        """Return what a trial of the frame in view has given; None if there is none that still holds."""
        outcome, session = self._outcomes.get(kind), self._session
        if outcome is None or outcome.image is not session.image or outcome.threshold != session.threshold:
            return None
        return outcome.trial if outcome.frame == session.current_frame() else None

    def words(self, kind: Kind) -> str:
        """Return what a trial of the frame in view has given, in words; empty if there is none that still holds."""
        trial = self.outcome(kind)
        if trial is None:
            return ""
        statement = trial.effect.statement
        if kind == "with":
            for words_of_graphics, words_of_calipers in _OF_CALIPERS:
                statement = statement.replace(words_of_graphics, words_of_calipers)
        words = f"{statement[:1].upper()}{statement[1:]}."
        effect = trial.effect.effect
        if effect.value is not None:
            words += f" Effect {effect.value:.2f}"
            words += "." if effect.p is None else f", by chance {effect.expected:.2f}, p = {effect.p:.2f}."
        before, after = trial.pixels
        if trial.effect.of_mask and effect.value is not None:
            words += f" Mask: {before} pixels as it is, {after} {_WORDS[kind]}."
        return words

    # What the user asks for

    def find(self) -> None:
        """Find the graphics of the frame in view."""
        image, review, frame = self._session.image, self._session.review, self._session.current_frame()
        layers = self.layers
        if image is None or review is None or layers is None:
            show_warning("Open an image first.")
            return
        found: list[Graphics] = []

        def show() -> None:
            if image in self._session.viewer.layers:
                layers.show(frame, found[0].mask)
                words = found[0].summary
                self._summary = image, frame, f"{words[:1].upper()}{words[1:]}."
                self.changed.emit()

        source = review.input.source
        self._session.background.start(lambda _cancelled: find_job(source, frame, found.append), show)

    def measure(self) -> None:
        """Measure what the marked graphics of the frame in view do; find them first if none are marked."""
        layers = self.layers
        if layers is None or not self._is_ready():
            return
        graphics = layers.mask(self._session.current_frame())
        if not graphics.any():
            show_warning(NOTHING_MARKED.format(frame=frame_word(self._session.image)))
            return
        self._start("without", lambda setup, keep: without_graphics_job(setup, graphics, keep))

    def paste(self, style: CaliperStyle, *, line: bool) -> None:
        """Paste calipers where the user has clicked in the frame in view, and measure what that does."""
        layers = self.layers
        if layers is None or not self._is_ready():
            return
        points = layers.points(self._session.current_frame())
        if not len(points):
            show_warning(NO_POINTS.format(frame=frame_word(self._session.image)))
            return
        calipers = Calipers(points, style, line)
        self._start("with", lambda setup, keep: with_calipers_job(setup, calipers, keep))

    def show(self, kind: Kind | None) -> None:
        """Show the frame and mask of a trial as layers; None to hide them."""
        self._shown_kind = kind
        outcome, layers = (None if kind is None else self._outcomes.get(kind)), self.layers
        if kind is None or outcome is None or layers is None or self.outcome(kind) is None:
            self._shown_kind = None
            self._shown.hide()
        else:
            self._shown.show(outcome.image, layers.placement, outcome.frame, outcome.trial, _WORDS[kind])
        self.changed.emit()

    @property
    def shown(self) -> Kind | None:
        """The trial whose frame and mask are shown as layers."""
        return self._shown_kind if self._shown.is_shown else None

    # How

    def _is_ready(self) -> bool:
        if (missing := self._session.missing()) is not None:
            show_warning(missing)
        return self._session.missing() is None

    def _start(self, kind: Kind, create: Callable[[Setup, Callable[[Trial], None]], object]) -> None:
        session, review = self._session, self._session.review
        network, image = session.network, session.image
        if network is None or review is None or image is None:
            return
        frame, threshold, plan = session.current_frame(), session.threshold, review.plan
        class_index = None if plan is None or plan.network is not network else plan.class_index
        trials: list[Trial] = []

        def take() -> None:
            if trials and session.network is network:
                self._outcomes[kind] = _Outcome(trials[0], image, frame, threshold)
                if self._shown_kind == kind:
                    self.show(kind)
                self.changed.emit()

        source = review.input.source
        session.background.start(
            lambda cancelled: create(  # type: ignore[arg-type,return-value]
                Setup(network, source, frame, threshold, class_index, cancelled), trials.append
            ),
            take,
        )

    def _on_painted(self) -> None:
        """Forget a figure whose graphics were painted over since."""
        outcome, layers = self._outcomes.get("without"), self.layers
        if outcome is not None and layers is not None and outcome.image is self._session.image:
            is_changed = bool((layers.mask(outcome.frame) != outcome.trial.graphics).any())
            self._outcomes = {kind: of for kind, of in self._outcomes.items() if not (is_changed and kind == "without")}
        QTimer.singleShot(0, self._on_change)

    def _forget(self) -> None:
        """Forget all figures: they were of another network, image or pixels."""
        self._outcomes.clear()
        self._on_change()

    def _on_change(self, _of: object = None) -> None:
        if self._shown_kind is not None and self._outcomes.get(self._shown_kind) is None:
            self._shown_kind = None
            self._shown.hide()
        self.changed.emit()
