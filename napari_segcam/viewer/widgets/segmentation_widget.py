"""The Segmentation widget: the mask, its threshold, and the input of the network."""

from __future__ import annotations

from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton, QWidget
from superqt import QLabeledDoubleSlider

from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.review.input_region import choose_input_region
from napari_segcam.viewer.review.losses import save_corrections
from napari_segcam.viewer.review.outputs import bring_back_corrections
from napari_segcam.viewer.review.requirements import LOAD_FIRST, OPEN_FIRST
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.choice import Choice, ImageChoice
from napari_segcam.viewer.widgets.doubt_choice import DoubtChoice
from napari_segcam.viewer.widgets.fitting.roomy_spin_box import RoomySpinBox
from napari_segcam.viewer.widgets.fitting.usable import set_usable
from napari_segcam.viewer.widgets.layout import Line, column, form, row, scrolled_panel
from napari_segcam.viewer.widgets.run_bar import RunBar

_MB = 1 << 20


class _Text:
    """Every text of the widget."""

    IMAGE = "Image"
    CLASS = "Class"
    CLASS_TIP = "The class that the mask shows"
    ALL_CLASSES = "All"
    THRESHOLD = "Mask threshold"
    THRESHOLD_TIP = (
        "A pixel belongs to the mask if its probability is above this value. Masks change at once. Heatmaps still "
        "explain the mask that they were computed for."
    )
    INPUT_REGION = "Input region"
    INPUT_REGION_TIP = (
        "The part of the image that the network is given: all of it, with any burned-in text, or the scan alone. The "
        "scan comes from the DICOM file if its entry is right, else from what moves or is bright in the image. You can "
        "also draw a rectangle or a polygon in a Shapes layer."
    )
    WHOLE_IMAGE = "Whole image"
    SCAN_ONLY = "Scan only"
    DRAWN_IN = "Drawn in {layer}"
    GRAY_VALUES = "Gray values"
    USE_LIMITS = "Use contrast limits"
    USE_LIMITS_TIP = (
        "Take black and white for the network from the contrast limits of the image layer, instead of from the file or "
        "the pixel values"
    )
    IN_COLOR = "A color image has no contrast limits."
    ONE_CLASS = "The network has one class."
    NO_THRESHOLD = "This network has a background class: in each pixel, the most probable class wins."
    DOUBT = "Doubt"
    MEMORY = "Memory limit"
    MEMORY_TIP = "Memory for results. When it is full, the results farthest from the current frame go first."
    MEMORY_USED = "{megabytes:.0f} MB used"
    DISCARD = "Discard this correction"
    DISCARD_TIP = "What you paint over a mask is your own correction. It is kept until you discard it here."
    BRING_BACK = "Bring my corrections back"
    BRING_BACK_TIP = "Their layer was removed, but they are kept"
    SAVE = "Save my corrections …"
    SAVE_TIP = "One PNG for each corrected frame, and the names of its labels"
    RUN = "Segment"


class SegmentationWidget(QWidget):
    """Run the network on the chosen image layer and show its mask."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.session = session_of(napari_viewer)
        self.image = ImageChoice(self.session)
        self.shown_class = Choice(_Text.CLASS_TIP)
        self.threshold = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.threshold.setRange(0.01, 0.99)
        self.threshold.setDecimals(2)
        self.threshold.setToolTip(_Text.THRESHOLD_TIP)
        self.input_region = Choice(_Text.INPUT_REGION_TIP)
        self.gray_values = Line()
        self.use_limits = QPushButton(_Text.USE_LIMITS)
        self.use_limits.setToolTip(_Text.USE_LIMITS_TIP)
        self.memory_limit = RoomySpinBox()
        self.memory_limit.setRange(64, 1 << 20)
        self.memory_limit.setSingleStep(256)
        self.memory_limit.setSuffix(" MB")
        self.memory_limit.setValue(self.session.reviews.store.budget // _MB)
        self.memory_limit.setKeyboardTracking(False)
        self.memory_limit.setToolTip(_Text.MEMORY_TIP)
        self.memory_used = Line()
        self.discard = QPushButton(_Text.DISCARD)
        self.discard.setToolTip(_Text.DISCARD_TIP)
        self.bring_back = QPushButton(_Text.BRING_BACK)
        self.bring_back.setToolTip(_Text.BRING_BACK_TIP)
        self.save = QPushButton(_Text.SAVE)
        self.save.setToolTip(_Text.SAVE_TIP)
        self.doubt = DoubtChoice(self.session)
        self.run_bar = RunBar(self.session, "segment", _Text.RUN)
        scrolled_panel(
            self,
            form(
                (_Text.IMAGE, self.image),
                (_Text.CLASS, self.shown_class),
                (_Text.THRESHOLD, self.threshold),
                (_Text.INPUT_REGION, self.input_region),
                (_Text.GRAY_VALUES, column(self.use_limits, self.gray_values)),
                (_Text.DOUBT, self.doubt),
                (_Text.MEMORY, column(self.memory_limit, self.memory_used)),
            ),
            self.bring_back,
            row(self.discard, self.save),
            self.run_bar,
        )

        self.threshold.valueChanged.connect(self.session.set_threshold)
        self.shown_class.chosen.connect(self._show_only)
        self.input_region.chosen.connect(lambda region: choose_input_region(self.session, region))
        self.use_limits.clicked.connect(self._use_limits)
        self.memory_limit.valueChanged.connect(lambda megabytes: self.session.reviews.set_budget(megabytes * _MB))
        self.discard.clicked.connect(self._discard)
        self.bring_back.clicked.connect(lambda: bring_back_corrections(self.session))
        self.save.clicked.connect(
            lambda: save_corrections(self.session, self.session.reviews.corrections(), lambda: None)
        )
        self.run_bar.requested.connect(self._run)
        self.session.network_changed.connect(self._on_network)
        self.session.layers_changed.connect(self._offer_input_regions)
        self.session.image_changed.connect(self._on_image)
        self.run_bar.refreshed.connect(self._refresh)
        for changed in (self.session.view_changed, self.session.layers_changed):
            changed.connect(self._show_corrections)
        self._on_network()
        self._offer_input_regions()
        self._refresh()

    def _run(self, scope: str) -> None:
        self._show_only(self.shown_class.value)
        self.session.run(RunRequest(), scope)  # type: ignore[arg-type]

    def _show_only(self, label: int | None) -> None:
        if (layers := self.session.layers()) is not None:
            layers.show_only(label)

    def _save_corrections(self) -> None:
        save_corrections(self.session, self.session.reviews.corrections(), lambda: None)

    def _discard(self) -> None:
        if (layers := self.session.layers()) is not None:
            layers.discard(self.session.current_frame())

    def _refresh(self) -> None:
        self._show_input_region()
        self._show_corrections()
        self.memory_used.set_text(_Text.MEMORY_USED.format(megabytes=self.session.reviews.used_bytes / _MB))
        review = self.session.review
        self.gray_values.set_text("" if review is None else review.input.source.gray_values())
        in_color = _Text.IN_COLOR if review is not None and review.image.rgb else None
        set_usable(self.use_limits, OPEN_FIRST if review is None else in_color)

    def _show_corrections(self) -> None:
        self.discard.setVisible(self.session.view.is_corrected)
        corrections = self.session.reviews.corrections()
        self.save.setVisible(bool(corrections))
        self.bring_back.setVisible(any(correction.is_taken_out for correction in corrections))

    def _use_limits(self) -> None:
        if (review := self.session.review) is not None:
            review.use_contrast_limits()
        self._refresh()

    def _on_image(self) -> None:
        """Apply the chosen class to another image, and show its input region."""
        self._show_only(self.shown_class.value)
        self._show_input_region()

    def _show_input_region(self) -> None:
        review = self.session.review
        if review is not None and self.session.job is None:  # a job may be looking for it
            self.input_region.choose(review.input.region)

    def _offer_input_regions(self) -> None:
        drawings = [(_Text.DRAWN_IN.format(layer=layer.name), layer) for layer in self.session.choices.drawings()]
        self.input_region.offer([(_Text.WHOLE_IMAGE, "all"), (_Text.SCAN_ONLY, "scan"), *drawings])

    def _on_network(self) -> None:
        network = self.session.network
        has_background = network is not None and network.has_background
        names = list(network.class_names) if network else []
        drawn = list(enumerate(names[1:] if has_background else names, start=1))
        several = network is not None and network.segments and network.classes > 1
        self.shown_class.offer(
            [(_Text.ALL_CLASSES, None), *((name, label) for label, name in drawn)]
            if several
            else [(name, None) for name in names]
        )
        one_class = LOAD_FIRST if network is None else _Text.ONE_CLASS
        set_usable(self.shown_class, None if several else one_class, _Text.CLASS_TIP)
        set_usable(self.threshold, _Text.NO_THRESHOLD if has_background else None)
        self.threshold.setValue(self.session.threshold)
