"""The Segmentation widget: the mask, what it is cut at, and what the network is shown for it."""

from __future__ import annotations

from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSpinBox, QVBoxLayout, QWidget
from superqt import QLabeledDoubleSlider

from napari_segcam.viewer.frames.plan import Request
from napari_segcam.viewer.review.losses import save_corrections
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.choice import Choice, ImageChoice
from napari_segcam.viewer.widgets.layout import Line, form, panel
from napari_segcam.viewer.widgets.run_bar import RunBar

_MB = 1 << 20


class SegmentationWidget(QWidget):
    """Run the network on the chosen image layer and show its mask."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.session = session_of(napari_viewer)
        self.image = ImageChoice(self.session)
        self.shown_class = Choice("Which class the mask shows")
        self.threshold = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.threshold.setRange(0.01, 0.99)
        self.threshold.setDecimals(2)
        self.threshold.setToolTip(
            "Probability above which a pixel belongs to the mask. The masks change at once; heatmaps go on explaining "
            "the mask that they were computed for."
        )
        self.part = Choice(
            "What the network is shown: the whole frame with all that is burned into it, or the region of the scan "
            "alone. It comes from the DICOM file where that is right, else from what moves or shines in the image, or "
            "from a rectangle or polygon that you have drawn in a Shapes layer."
        )
        self.gray_values = Line()
        self.take_limits = QPushButton("Use contrast limits")
        self.take_limits.setToolTip(
            "Take what is black and white for the network from the contrast limits of the image layer, in the place of "
            "what the file says or the values show"
        )
        self.budget = QSpinBox()
        self.budget.setRange(64, 1 << 20)
        self.budget.setSingleStep(256)
        self.budget.setSuffix(" MB")
        self.budget.setValue(self.session.store.budget // _MB)
        self.budget.setKeyboardTracking(False)
        self.budget.setToolTip("How much memory results may take; the frames farthest from the one in view go first")
        self.used = Line()
        self.discard = QPushButton("Discard this correction")
        self.discard.setToolTip("What you paint over a mask is your own correction, kept until you discard it here")
        self.bring_back = QPushButton("Bring my corrections back")
        self.bring_back.setToolTip("Their layer was removed, but they are kept")
        self.save = QPushButton("Save my corrections …")
        self.save.setToolTip("One PNG a corrected frame, and the names of its labels")
        self.run_bar = RunBar(self.session, "segment", "Segment")
        memory = QHBoxLayout()
        memory.setContentsMargins(0, 0, 0, 0)
        memory.addWidget(self.budget)
        memory.addWidget(self.used)
        held = QWidget()
        held.setLayout(memory)
        grays = QVBoxLayout()
        grays.setContentsMargins(0, 0, 0, 0)
        grays.addWidget(self.take_limits)
        grays.addWidget(self.gray_values)
        gray = QWidget()
        gray.setLayout(grays)
        corrections = QHBoxLayout()
        corrections.addWidget(self.discard)
        corrections.addWidget(self.save)
        panel(
            self,
            form(
                ("image", self.image),
                ("class", self.shown_class),
                ("threshold", self.threshold),
                ("network sees", self.part),
                ("gray values", gray),
                ("memory", held),
            ),
            self.bring_back,
            corrections,
            self.run_bar,
        )

        self.threshold.valueChanged.connect(self.session.set_threshold)
        self.shown_class.chosen.connect(self._show_only)
        self.part.chosen.connect(self.session.show_network)
        self.take_limits.clicked.connect(self._take_limits)
        self.budget.valueChanged.connect(lambda megabytes: self.session.set_budget(megabytes * _MB))
        self.discard.clicked.connect(self._discard)
        self.bring_back.clicked.connect(self.session.bring_corrections_back)
        self.save.clicked.connect(lambda: save_corrections(self.session, self.session.all_corrections(), lambda: None))
        self.run_bar.requested.connect(self._run)
        self.session.network_changed.connect(self._on_network)
        self.session.layers_changed.connect(self._offer_parts)
        self.session.image_changed.connect(self._on_image)
        self.run_bar.refreshed.connect(self._refresh)
        for changed in (self.session.view_changed, self.session.layers_changed):
            changed.connect(self._show_corrections)
        self._on_network()
        self._offer_parts()
        self._refresh()

    def _run(self, scope: str) -> None:
        self._show_only(self.shown_class.value)
        self.session.run(Request(), scope)  # type: ignore[arg-type]

    def _show_only(self, label: int | None) -> None:
        if (layers := self.session.layers()) is not None:
            layers.show_only(label)

    def _discard(self) -> None:
        if (layers := self.session.layers()) is not None:
            layers.discard(self.session.current_frame())

    def _refresh(self) -> None:
        self._show_part()
        self._show_corrections()
        self.used.say(f"{self.session.used / _MB:.0f} MB used")
        review = self.session.review
        self.gray_values.say("" if review is None else review.gray_values())
        self.take_limits.setEnabled(review is not None and not review.image.rgb)

    def _show_corrections(self) -> None:
        self.discard.setVisible(self.session.view.is_corrected)
        corrections = self.session.all_corrections()
        self.save.setVisible(bool(corrections))
        self.bring_back.setVisible(any(one.is_taken_out for one in corrections))

    def _take_limits(self) -> None:
        if (review := self.session.review) is not None:
            review.take_contrast_limits()
        self._refresh()

    def _on_image(self) -> None:
        """Show of another image what is chosen here, and say what the network is shown of it."""
        self._show_only(self.shown_class.value)
        self._show_part()

    def _show_part(self) -> None:
        review = self.session.review
        if review is not None and self.session.job is None:  # else it is being looked for
            self.part.choose(review.part)

    def _offer_parts(self) -> None:
        drawings = [(f"drawn in {layer.name}", layer) for layer in self.session.drawings()]
        self.part.offer([("the whole frame", "all"), ("the scan alone", "scan"), *drawings])

    def _on_network(self) -> None:
        network = self.session.network
        has_background = network is not None and network.has_background
        names = list(network.class_names) if network else []
        drawn = list(enumerate(names[1:] if has_background else names, start=1))
        several = network is not None and network.segments and network.classes > 1
        self.shown_class.offer(
            [("all", None), *((name, label) for label, name in drawn)] if several else [(n, None) for n in names]
        )
        self.shown_class.setEnabled(several)
        self.threshold.setEnabled(not has_background)
        self.threshold.setValue(self.session.threshold)
