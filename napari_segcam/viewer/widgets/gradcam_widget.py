"""The Grad-CAM widget: where the network looked, stage by stage."""

from __future__ import annotations

from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QHeaderView, QPushButton, QTreeWidget, QTreeWidgetItem, QWidget
from superqt import QLabeledDoubleSlider

from napari_segcam.viewer.drawing.colormaps import COLORMAPS
from napari_segcam.viewer.frames.plan import CORRECTED, Request
from napari_segcam.viewer.keys import key_rows, show_help
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.choice import Choice, ImageChoice
from napari_segcam.viewer.widgets.layout import form, panel
from napari_segcam.viewer.widgets.run_bar import RunBar

_NAME, _STRIDE, _RATIO = range(3)
_STAGE = Qt.ItemDataRole.UserRole
_RATIO_EXPLAINED = (
    "Mean heat inside the region over mean heat outside it, of the frame in view. "
    "Where the region is the predicted mask a large ratio is partly true by construction."
)
_ECHOES = (
    "A full-resolution decoder stage echoes the mask by construction: it tells little of where the network looked."
)


class GradCamWidget(QWidget):
    """Choose the method, the target and the stages; run; fade and color all heatmaps at once."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.session = session_of(napari_viewer)
        self.image = ImageChoice(self.session)
        self.method = Choice("How activations and gradients become a heatmap")
        self.target_class = Choice("Whose logits are explained")
        self.region = Choice(
            "Where the logits are summed: the predicted mask, the mask with your corrections, everywhere, or what is "
            "painted in a Labels layer"
        )
        self.stages = QTreeWidget()
        self.stages.setRootIsDecorated(False)
        self.stages.setHeaderLabels(["stage", "stride", "in / out"])
        self.stages.header().setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        self.stages.header().setStretchLastSection(False)
        self.stages.setToolTip("Which stages get a heatmap, in the order the network runs them")
        self.stages.headerItem().setToolTip(_RATIO, _RATIO_EXPLAINED)
        self.choose_main = QPushButton("Main")
        self.choose_main.setToolTip("The encoder stages and one decoder node per resolution")
        self.choose_all = QPushButton("All")
        self.choose_none = QPushButton("None")
        self.keys = QPushButton("Keys …")
        self.keys.setToolTip("\n".join(f"{key}: {what}" for key, what in key_rows()))
        self.opacity = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 1)
        self.opacity.setDecimals(2)
        self.opacity.setValue(0.6)
        self.opacity.setToolTip("Of all stages at once")
        self.floor = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.floor.setRange(0, 0.95)
        self.floor.setDecimals(2)
        self.floor.setToolTip("Heat below this share of the scale is not drawn, in any stage")
        self.colormap = Choice("Of all stages at once")
        self.colormap.offer([(name, name) for name in COLORMAPS])
        self.scale = Choice(
            "What the strongest color stands for: the peak of the stage over the whole clip, so that frames can be "
            "compared, or the peak of each frame, so that weak heat is seen"
        )
        self.scale.offer([("over the clip", "clip"), ("frame by frame", "frame")])
        self.rescale = QPushButton("Hardly any heat is seen: scale it to this frame")
        self.rescale.setToolTip("The frame reaches but a small part of the scale. The key W does the same, and back")
        self.run_bar = RunBar(self.session, "explain", "Explain")

        choosers = QHBoxLayout()
        for button in (self.choose_main, self.choose_all, self.choose_none, self.keys):
            choosers.addWidget(button)
        colors = QHBoxLayout()
        colors.addWidget(self.colormap)
        colors.addWidget(self.scale)
        colored = QWidget()
        colored.setLayout(colors)
        colors.setContentsMargins(0, 0, 0, 0)
        panel(
            self,
            form(
                ("image", self.image),
                ("method", self.method),
                ("class", self.target_class),
                ("region", self.region),
            ),
            choosers,
            self.stages,
            form(("opacity", self.opacity), ("hide below", self.floor), ("colors", colored)),
            self.rescale,
            self.run_bar,
        )

        self.choose_main.clicked.connect(lambda: self._check("main"))
        self.choose_all.clicked.connect(lambda: self._check("all"))
        self.choose_none.clicked.connect(lambda: self._check(()))
        self.keys.clicked.connect(lambda: show_help(self))
        self.opacity.valueChanged.connect(self._restyle)
        self.floor.valueChanged.connect(self._restyle)
        self.colormap.chosen.connect(self._restyle)
        self.scale.chosen.connect(self.session.set_scale)
        self.rescale.clicked.connect(lambda: self.session.set_scale("frame"))
        self.session.scale_changed.connect(self._show_scale)
        self.session.view_changed.connect(self._show_scale)
        self.run_bar.requested.connect(self._run)
        self.session.network_changed.connect(self._on_network)
        self.session.layers_changed.connect(self._offer_regions)
        self.session.image_changed.connect(self._offer_regions)
        self.session.figures_changed.connect(self._show_figures)
        self._on_network()
        self._offer_regions()
        self._show_scale()

    def checked(self) -> tuple[str, ...]:
        """Names of the checked stages."""
        return tuple(name for name, item in self._items() if item.checkState(_NAME) == Qt.CheckState.Checked)

    def _items(self) -> list[tuple[str, QTreeWidgetItem]]:
        items = (self.stages.topLevelItem(row) for row in range(self.stages.topLevelItemCount()))
        return [(item.data(_NAME, _STAGE), item) for item in items]

    def _run(self, scope: str) -> None:
        from napari_segcam.explanation.stage_maps import find_method

        if self.session.network is None:
            return
        self._restyle()
        method, preview = self.method.value
        own = find_method(method).stage  # of a method whose stage is not the user's choice
        stages = self.checked() if own is None else (own.name,)
        request = Request(method, stages, self.target_class.value, self.region.value, preview)
        self.session.run(request, scope)  # type: ignore[arg-type]

    def _check(self, stages: str | tuple[str, ...]) -> None:
        if self.session.network is None:
            return
        wanted = {stage.name for stage in self.session.network.select(stages)}
        for name, item in self._items():
            item.setCheckState(_NAME, Qt.CheckState.Checked if name in wanted else Qt.CheckState.Unchecked)

    def _restyle(self) -> None:
        if (layers := self.session.layers()) is not None:
            layers.style(self.colormap.value, self.opacity.value(), self.floor.value())

    def _show_scale(self) -> None:
        """Show which scale is drawn, and offer the other where it hides a frame's heat."""
        self.scale.setCurrentIndex(self.scale.findData(self.session.scale))
        self.rescale.setVisible(self.session.view.is_weak)

    def _on_network(self) -> None:
        network = self.session.network
        if network is None:
            return
        # These bring torch, which the network has brought already.
        from napari_segcam.explanation.attribution import ATTRIBUTIONS
        from napari_segcam.explanation.methods import METHODS
        from napari_segcam.explanation.perturbation import PERTURBATIONS

        quick = [(method.title, (method.name, False)) for method in METHODS.values()]
        slow = [
            (f"{method.title} (slow)", (method.name, False))
            for method in (*PERTURBATIONS.values(), *ATTRIBUTIONS.values())
        ]
        previews = [
            (f"{method.title}, preview", (method.name, True)) for method in PERTURBATIONS.values() if method.has_preview
        ]
        self.method.offer([*quick, *previews, *slow])
        self.target_class.offer(
            [(name, index) for index, name in enumerate(network.class_names)], network.class_index(None)
        )
        self.stages.clear()
        for stage in network.stages:
            item = QTreeWidgetItem([stage.name, str(stage.stride), ""])
            item.setData(_NAME, _STAGE, stage.name)
            echoes = stage.kind != "encoder" and stage.stride == 1
            item.setToolTip(_NAME, f"{stage.channels} channels at stride {stage.stride}" + f"\n{_ECHOES}" * echoes)
            self.stages.addTopLevelItem(item)
        self._check("main")

    def _offer_regions(self) -> None:
        from napari_segcam.explanation.targets.region import Boundary, Component

        painted = [(f"painted in {layer.name}", layer) for layer in self.session.regions()]
        rules = [("largest part of the mask", Component()), ("rim of the mask", Boundary())]
        edited = [("mask as I corrected it", CORRECTED)]
        self.region.offer([("predicted mask", "mask"), *edited, ("whole image", "image"), *rules, *painted])

    def _show_figures(self) -> None:
        shown = self.session.figures()
        for name, item in self._items():
            figures = shown.get(name)
            ratio = figures.ratio if figures is not None else None
            item.setText(_RATIO, "" if figures is None else "undefined" if ratio is None else f"{ratio:.2g}")
            item.setToolTip(
                _RATIO, figures.undefined if figures is not None and figures.undefined else _RATIO_EXPLAINED
            )
