"""The methods in the Grad-CAM widget: those that compare classes, and those of other packages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from pytestqt.qtbot import QtBot
from torch import nn

from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.targets.target import Target
from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.network import Network
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.widgets.gradcam_widget import GradCamWidget
from napari_segcam.viewer.workspace import PLUGIN

Finish = Callable[[ReviewSession], None]


class FourClasses(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.shallow = nn.Sequential(nn.Conv2d(1, 5, 3, padding=1), nn.Tanh())
        self.deep = nn.Sequential(nn.Conv2d(5, 6, 3, stride=2, padding=1), nn.Tanh())
        self.head = nn.Sequential(nn.Conv2d(6, 4, 1), nn.UpsamplingBilinear2d(scale_factor=2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.deep(self.shallow(x)))


@pytest.fixture
def four_classes() -> Network:
    names = ("background", "cyst", "lesion", "wall")
    return Network.from_module(FourClasses(), ModelCard(input_channels=1, class_names=names), "cpu")


@pytest.fixture
def gradcam(make_napari_viewer_proxy: Callable[[], Any]) -> GradCamWidget:
    viewer = make_napari_viewer_proxy()
    widget: GradCamWidget = viewer.window.add_plugin_dock_widget(PLUGIN, "Grad-CAM")[1]
    viewer.add_image(np.random.default_rng(0).integers(0, 255, (32, 64), dtype=np.uint8))
    return widget


def choose(choice: Any, text: str) -> None:
    """Choose an item as a user does."""
    assert choice.findText(text) >= 0, text
    choice.setCurrentText(text)
    choice.chosen.emit(choice.value)


def titles(choice: Any) -> list[str]:
    return [choice.itemText(index) for index in range(choice.count())]


@pytest.mark.slow
def test_the_other_class_is_asked_for_where_classes_are_compared(
    gradcam: GradCamWidget, four_classes: Network, finish: Finish, messages: list[str]
) -> None:
    session = gradcam.session
    assert gradcam.other_class.isHidden(), "before a network is loaded"
    session.use(four_classes)
    assert gradcam.other_class.isHidden()
    choose(gradcam.method, "Finer-CAM")
    assert not gradcam.other_class.isHidden()
    choose(gradcam.target_class, "lesion")
    assert titles(gradcam.other_class) == ["Likeliest other class", "background", "cyst", "wall"]
    choose(gradcam.region, "Whole image")
    frame = session.image.data
    for other, index in (("Likeliest other class", None), ("wall", 3)):
        choose(gradcam.other_class, other)
        gradcam.run_bar.requested.emit("current")
        finish(session)
        expected = Explainer(four_classes, "finercam", gradcam.checked())(frame, Target(2, "image", against=index))
        for stage, layer in session.layers().heatmaps.items():
            np.testing.assert_allclose(layer.data, expected.heatmaps[stage].values, rtol=1e-4, atol=1e-6)
        (name,) = (four_classes.class_names[number] for number in expected.target.reference_classes)
        assert f"heat compares lesion with {name}" in " ".join(session.view.of_frame.split())
    choose(gradcam.method, "Grad-CAM")
    assert gradcam.other_class.isHidden()
    gradcam.run_bar.requested.emit("current")
    finish(session)
    assert "compares" not in " ".join(session.view.of_frame.split())
    assert messages == []


def test_a_network_of_one_class_is_offered_no_comparison(
    gradcam: GradCamWidget, network: Network, four_classes: Network
) -> None:
    gradcam.session.use(four_classes)
    assert {"Finer-CAM", "FinerCAM of grad-cam (slow)"} <= set(titles(gradcam.method))
    gradcam.session.use(network)
    assert not [title for title in titles(gradcam.method) if "Finer" in title]


@pytest.mark.slow
def test_methods_of_other_packages_run_from_the_widget(
    gradcam: GradCamWidget, four_classes: Network, finish: Finish, messages: list[str], qtbot: QtBot
) -> None:
    session = gradcam.session
    session.use(four_classes)
    choose(gradcam.region, "Whole image")
    for title, name in (("FEM of grad-cam (slow)", "grad-cam:fem"), ("ISCAM of torchcam (slow)", "torchcam:iscam")):
        choose(gradcam.method, title)
        gradcam.run_bar.requested.emit("current")
        qtbot.waitUntil(lambda: bool(session.title), timeout=60_000)
        finish(session)
        expected = Explainer(four_classes, name, gradcam.checked())(session.image.data, Target(1, "image"))
        for stage, layer in session.layers().heatmaps.items():
            np.testing.assert_allclose(layer.data, expected.heatmaps[stage].values, rtol=1e-4, atol=1e-6)
    assert messages == []
