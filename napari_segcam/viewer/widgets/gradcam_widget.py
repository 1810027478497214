"""The Grad-CAM widget: where the network looked, stage by stage."""

from __future__ import annotations

from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton, QWidget
from superqt import QLabeledDoubleSlider

from napari_segcam.preferences.present import preferences
from napari_segcam.viewer.click.click_controller import ClickController
from napari_segcam.viewer.drawing.colormaps import COLORMAP_LABELS
from napari_segcam.viewer.evidence.evidence_controller import EvidenceController
from napari_segcam.viewer.frames.asked_words import place_words
from napari_segcam.viewer.frames.run_request import CORRECTED, RunRequest
from napari_segcam.viewer.keys import key_rows, show_help
from napari_segcam.viewer.layers.frame_names import frame_word
from napari_segcam.viewer.preferences.preferences_controller import PreferencesController
from napari_segcam.viewer.project.project_controller import ProjectController
from napari_segcam.viewer.responsiveness.throttle import Throttle
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.requirements import LOAD_FIRST
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.choice import Choice, ImageChoice
from napari_segcam.viewer.widgets.click_bar import ClickBar
from napari_segcam.viewer.widgets.fitting.usable import set_usable
from napari_segcam.viewer.widgets.fitting.wrapping_buttons import WrappingButton
from napari_segcam.viewer.widgets.layout import form, row, scrolled_panel, show_row
from napari_segcam.viewer.widgets.member_choice import MemberChoice
from napari_segcam.viewer.widgets.method_choice import MethodChoice
from napari_segcam.viewer.widgets.other_class_choice import OtherClassChoice
from napari_segcam.viewer.widgets.run_bar import RunBar
from napari_segcam.viewer.widgets.stage_table import StageTable
from napari_segcam.viewer.widgets.trust_panel import TrustPanel


class _Text:
    """Every text of the widget; ``{frame}`` is "frame", or "image" in a folder of stills."""

    IMAGE = "Image"
    METHOD = "Method"
    CLASS = "Class"
    CLASS_TIP = "The class whose score is explained"
    REGION = "Region"
    REGION_TIP = (
        "The region whose score is explained.\n"
        "Corrected mask: your correction, or the predicted mask where you made none.\n"
        "Largest component: the largest connected part of the predicted mask.\n"
        "Boundary: a band along the edge of the predicted mask.\n"
        "Asked: the place that you have asked about, in every frame.\n"
        "Painted in …: what you paint in a Labels layer."
    )
    PREDICTED_MASK = "Predicted mask"
    CORRECTED_MASK = "Corrected mask"
    WHOLE_IMAGE = "Whole image"
    COMPONENT = "Largest component of the mask"
    BOUNDARY = "Boundary of the mask"
    PLACE = "Asked: {place}"
    PAINTED_IN = "Painted in {layer}"
    MAIN = "Main"
    MAIN_TIP = "Check the encoder stages and one decoder node per resolution"
    ALL = "All"
    ALL_TIP = "Check every stage"
    NONE = "None"
    NONE_TIP = "Check no stage"
    KEYS = "Keys …"
    OPACITY = "Opacity"
    OPACITY_TIP = "Opacity of the heatmaps of all stages"
    THRESHOLD = "Heat threshold"
    THRESHOLD_TIP = "Hide heat below this share of the color scale, in all stages. The mask does not change."
    COLORS = "Colors"
    COLORS_TIP = "Colors of the heatmaps of all stages"
    SCALE = "Color scale"
    SCALES = (("All {frame}s", "clip"), ("Each {frame}", "frame"))
    SCALE_TIP = (
        "What the strongest color means.\n"
        "All {frame}s: the highest value of the stage in all {frame}s, to compare {frame}s.\n"
        "Each {frame}: the highest value in the current {frame}, to see weak heat."
    )
    RESCALE = "Very little heat: scale colors to this {frame}"
    RESCALE_TIP = "This {frame} uses only a small part of the color scale. Key W does the same, and back."
    RUN = "Explain"


class GradCamWidget(QWidget):
    """Choose the method, the target and the stages; run; set opacity and colors of all heatmaps at once."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.session = session_of(napari_viewer)
        self._evidence = controller_of(self.session, EvidenceController)
        self._word = ""
        self.image = ImageChoice(self.session)
        self.method = MethodChoice()
        self.target_class = Choice(_Text.CLASS_TIP)
        self.other_class = OtherClassChoice()
        self.members = MemberChoice(self.session)
        self.region = Choice(_Text.REGION_TIP)
        self.stages = StageTable()
        self.choose_main = QPushButton(_Text.MAIN)
        self.choose_main.setToolTip(_Text.MAIN_TIP)
        self.choose_all = QPushButton(_Text.ALL)
        self.choose_none = QPushButton(_Text.NONE)
        self.choose_all.setToolTip(_Text.ALL_TIP)
        self.choose_none.setToolTip(_Text.NONE_TIP)
        self.keys = QPushButton(_Text.KEYS)
        self.keys.setToolTip("\n".join(f"{key}: {action}" for key, action in key_rows()))
        self.opacity = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 1)
        self.opacity.setDecimals(2)
        self.opacity.setToolTip(_Text.OPACITY_TIP)
        self.heat_threshold = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.heat_threshold.setRange(0, 0.95)
        self.heat_threshold.setDecimals(2)
        self.heat_threshold.setToolTip(_Text.THRESHOLD_TIP)
        self.colormap = Choice(_Text.COLORS_TIP)
        self.colormap.offer(COLORMAP_LABELS)
        self._show_preferences()
        self.scale = Choice()
        self.rescale = WrappingButton()
        self.trust = TrustPanel(self.session)
        self.click_bar = ClickBar(self.session)
        self.run_bar = RunBar(self.session, "explain", _Text.RUN)
        self._what = form(
            (_Text.IMAGE, self.image),
            (_Text.METHOD, self.method),
            (_Text.CLASS, self.target_class),
            (OtherClassChoice.LABEL, self.other_class),
            (_Text.REGION, self.region),
            (MemberChoice.LABEL, self.members),
        )
        scrolled_panel(
            self,
            self._what,
            row(self.choose_main, self.choose_all, self.choose_none, self.keys),
            self.stages,
            self.trust,
            form(
                (_Text.OPACITY, self.opacity),
                (_Text.THRESHOLD, self.heat_threshold),
                (_Text.COLORS, self.colormap),
                (_Text.SCALE, self.scale),
            ),
            self.rescale,
            self.click_bar,
            self.run_bar,
        )

        self.choose_main.clicked.connect(lambda: self._check("main"))
        self.choose_all.clicked.connect(lambda: self._check("all"))
        self.choose_none.clicked.connect(lambda: self._check(()))
        self.keys.clicked.connect(lambda: show_help(self))
        self.opacity.valueChanged.connect(self._restyle)
        self.heat_threshold.valueChanged.connect(self._restyle)
        self.colormap.chosen.connect(self._restyle)
        self.scale.chosen.connect(self.session.set_scale)
        self.rescale.clicked.connect(lambda: self.session.set_scale("frame"))
        self.session.scale_changed.connect(self._show_scale)
        self.session.view_changed.connect(self._show_scale)
        self.method.chosen.connect(self._offer_other_classes)
        self.target_class.chosen.connect(self._offer_other_classes)
        self.run_bar.requested.connect(self._run)
        self.session.network_changed.connect(self._on_network)
        self.session.layers_changed.connect(self._offer_regions)
        self.session.image_changed.connect(self._offer_regions)
        show_figures = Throttle(self._show_figures, self).ask
        self.session.figures_changed.connect(show_figures)
        self.session.frame_changed.connect(show_figures)
        self._evidence.changed.connect(show_figures)
        self.session.image_changed.connect(self._name_frames)
        controller_of(self.session, ProjectController).settings.restored.connect(self._take_kept)
        controller = controller_of(self.session, ClickController)
        controller.chosen_request = self._request
        controller.changed.connect(self._offer_regions)
        show_row(self._what, self.members, self.members.has_members)
        controller_of(self.session, PreferencesController).changed.connect(self._take_preferences)
        self._on_network()
        self._offer_other_classes()
        self._offer_regions()
        self._name_frames()
        self._show_scale()

    def checked(self) -> tuple[str, ...]:
        """Names of the checked stages."""
        return self.stages.checked()

    def _run(self, scope: str) -> None:
        request = self._request()
        if request is None:
            return
        self._restyle()
        self.session.run(request, scope)  # type: ignore[arg-type]

    def _request(self) -> RunRequest | None:
        """Return what is chosen; None without a network."""
        from napari_segcam.explanation.stage_maps import find_method

        if self.session.network is None:
            return None
        method, preview = self.method.value
        only_stage = find_method(method).stage  # some methods explain one stage only, for example the input
        stages = self.checked() if only_stage is None else (only_stage.name,)
        return RunRequest(
            method, stages, self.target_class.value, self.region.value, preview, self._against(), self.members.value
        )

    def _against(self) -> int | None:
        """Return the class that the explained one is compared with, where the method compares."""
        return self.other_class.value if self.method.contrasts() else None

    def _offer_other_classes(self) -> None:
        """Offer the classes to compare with, where the method compares."""
        if self.session.network is not None:
            self.other_class.offer_classes(self.session.network.class_names, self.target_class.value)
        show_row(self._what, self.other_class, self.method.contrasts())

    def _check(self, stages: str | tuple[str, ...]) -> None:
        """Check these stages, and no others."""
        if self.session.network is None:
            return
        self.stages.check({stage.name for stage in self.session.network.select(stages)})

    def _restyle(self) -> None:
        if (layers := self.session.layers()) is not None:
            layers.style(self.colormap.value, self.opacity.value(), self.heat_threshold.value())

    def _take_preferences(self, names: frozenset[str]) -> None:
        own = controller_of(self.session, ProjectController).settings.keeps_look
        if names & {"colormap", "opacity", "heat_threshold"} and not own:
            self._show_preferences()

    def _show_preferences(self) -> None:
        """Show the colors, opacity and threshold of the user's preferences, and use them."""
        preferred = preferences()
        self.colormap.choose(preferred.colormap)
        self.opacity.setValue(preferred.opacity)
        self.heat_threshold.setValue(preferred.heat_threshold)

    def _show_scale(self) -> None:
        """Show the color scale in use; if it leaves a frame with hardly any heat, offer to scale to the frame."""
        self.scale.setCurrentIndex(self.scale.findData(self.session.scale))
        self.rescale.setVisible(self.session.view.is_weak)

    def _on_network(self) -> None:
        network = self.session.network
        for button in (self.choose_main, self.choose_all, self.choose_none):
            set_usable(button, LOAD_FIRST if network is None else None)
        if network is None:
            return
        self.method.offer_methods(network)
        self.target_class.offer(
            [(name, index) for index, name in enumerate(network.class_names)], network.class_index(None)
        )
        self._offer_other_classes()
        self.members.offer_members()
        show_row(self._what, self.members, self.members.has_members)
        self.stages.offer(network)
        self._check("main")
        self._take_kept()

    def _take_kept(self) -> None:
        """Show the settings of the open review project."""
        project, layers = controller_of(self.session, ProjectController), self.session.layers()
        if project.project is None:
            return
        settings, request = project.settings, project.request()
        self.colormap.choose(settings.colormap)
        self.opacity.setValue(
            settings.number("opacity", self.opacity.value() if layers is None else layers.heat.opacity)
        )
        self.heat_threshold.setValue(settings.number("floor", 0.0))
        if request is not None:
            self.method.choose((request.method, request.preview))
            self.target_class.choose(self.target_class.value if request.class_index is None else request.class_index)
            self.region.choose(request.region)
            self._offer_other_classes()
            self.stages.check(set(request.stages or ()))

    def _offer_regions(self) -> None:
        from napari_segcam.explanation.targets.region import Boundary, Component

        asked = controller_of(self.session, ClickController).asked
        self.region.offer(
            [
                (_Text.PREDICTED_MASK, "mask"),
                (_Text.CORRECTED_MASK, CORRECTED),
                (_Text.WHOLE_IMAGE, "image"),
                (_Text.COMPONENT, Component()),
                (_Text.BOUNDARY, Boundary()),
                *([(_Text.PLACE.format(place=place_words(asked.region)), asked.region)] if asked else []),
                *((_Text.PAINTED_IN.format(layer=layer.name), layer) for layer in self.session.choices.regions()),
            ]
        )

    def _name_frames(self) -> None:
        """Speak of frames, or of images if these come from a folder of stills."""
        word = frame_word(self.session.image)
        if word == self._word:
            return
        self._word = word
        self.scale.offer([(label.format(frame=word), scale) for label, scale in _Text.SCALES], self.session.scale)
        self.scale.setToolTip(_Text.SCALE_TIP.format(frame=word))
        self.rescale.setText(_Text.RESCALE.format(frame=word))
        self.rescale.setToolTip(_Text.RESCALE_TIP.format(frame=word))
        self.stages.name_frames(word)

    def _show_figures(self) -> None:
        self.stages.show_rows(self._evidence.rows(self.stages.names()))
