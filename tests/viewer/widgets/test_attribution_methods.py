"""Gradient attributions in the widget: listed with the slow methods, with progress, shown at full size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from napari_segcam.explanation.explainer import Explainer
from napari_segcam.network.network import Network
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.widgets.gradcam_widget import GradCamWidget
from napari_segcam.viewer.workspace import PLUGIN


@pytest.mark.slow
def test_attribution_methods_run_from_the_widget(
    make_napari_viewer_proxy: Callable[[], Any],
    messages: list[str],
    finish: Callable[[ReviewSession], None],
    qtbot: QtBot,
    network: Network,
    frames: np.ndarray,
) -> None:
    viewer = make_napari_viewer_proxy()
    gradcam: GradCamWidget = viewer.window.add_plugin_dock_widget(PLUGIN, "Grad-CAM")[1]
    session = gradcam.session
    viewer.add_image(frames[0])
    session.use(network)
    for title, name in (
        ("Occlusion (slow)", "occlusion"),  # another size, and no sign, under the same stage's name
        ("Integrated Gradients (slow)", "integrated_gradients"),
        ("SmoothGrad (slow)", "smoothgrad"),
    ):
        gradcam.method.setCurrentText(title)
        gradcam.run_bar.requested.emit("current")
        if name != "occlusion":
            qtbot.waitUntil(lambda: "runs" in session.title, timeout=60_000)
        finish(session)
        assert list(session.layers().heatmaps) == ["input"]
        expected = Explainer(network, name)(frames[0]).heatmaps["input"]
        layer = session.layers().heatmaps["input"]
        np.testing.assert_allclose(layer.data, expected.values, rtol=1e-4, atol=1e-6)
        lowest = -expected.peak if expected.signed else 0
        np.testing.assert_allclose(layer.contrast_limits, (lowest, expected.peak), rtol=1e-4)
    assert messages == []
