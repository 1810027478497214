"""Check that an installed napari-segcam works: run by `.ci/run` and `make release-check`, outside the checkout.

Opens a viewer, docks every widget of the manifest and opens every sample. Then it does what a stranger does first: it
loads the sample's network and waits for the first heatmap. Prints what there was and how long that took.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.layers import Labels
from npe2 import PluginManager
from qtpy.QtWidgets import QApplication

import napari_segcam
from napari_segcam.demo import FRAME, demo_checkpoint
from napari_segcam.network.source import ModelSource
from napari_segcam.viewer.docks import PLUGIN, dock
from napari_segcam.viewer.layers.placement import OURS
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.sessions import session_of

PATIENCE_S = 1200  # a small and busy machine that imports torch for the first time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="where to write the versions and times")
    arguments = parser.parse_args()

    installed = Path(napari_segcam.__file__)
    if not installed.is_relative_to(sys.prefix):
        sys.exit(f"This is not the wheel in {sys.prefix}, but {installed}.")

    plugins = PluginManager.instance()
    plugins.discover()
    contributions = plugins.get_manifest(PLUGIN).contributions
    widgets, samples = contributions.widgets or [], contributions.sample_data or []
    if not widgets or not samples:
        sys.exit(f"The manifest of {PLUGIN} lists {len(widgets)} widgets and {len(samples)} samples.")

    viewer = napari.Viewer()
    for widget in widgets:
        viewer.window.add_plugin_dock_widget(PLUGIN, widget.display_name)
        print(f"widget  {widget.display_name}")
    begun = time.perf_counter()
    for sample in samples:
        layers = viewer.open_sample(PLUGIN, sample.key)
        if not layers:
            sys.exit(f"The sample {sample.display_name!r} opened no layer.")
        print(f"sample  {sample.display_name}: {', '.join(layer.name for layer in layers)}")
    heat = first_heat(viewer)
    seconds = time.perf_counter() - begun
    print(f"heat    {', '.join(heat)}, {seconds:.1f} s after the sample was asked for")
    if arguments.json:
        versions = {"python": platform.python_version(), "napari": napari.__version__, "torch": torch_version()}
        arguments.json.write_text(json.dumps({**versions, "first_heat_s": round(seconds, 1)}), encoding="utf-8")
    wait(lambda: not session_of(viewer).is_busy, "The sample's evidence was not measured", session_of(viewer))
    viewer.close()


def first_heat(viewer: napari.Viewer) -> list[str]:
    """Load the sample's network, explain the frame that shows the finding, and return the stages that have heat."""
    session = session_of(viewer)
    viewer.dims.set_current_step(0, FRAME)
    session.load(ModelSource(str(demo_checkpoint())))
    wait(lambda: session.network is not None and not session.is_busy, "The sample's network was not loaded", session)
    gradcam: Any = dock(viewer, "Grad-CAM")[1]
    gradcam.run_bar.scope.choose("current")
    gradcam.run_bar.run.click()
    wait(lambda: bool(session.figures()) and not session.is_busy, "The sample's frame was not explained", session)

    masks = [layer for layer in viewer.layers if isinstance(layer, Labels) and OURS in layer.metadata]
    if not any(np.asarray(mask.data[FRAME]).any() for mask in masks):
        sys.exit("The mask of the sample is empty.")
    layers = session.layers()
    assert layers is not None
    hot = [name for name, layer in layers.heat.layers.items() if np.nanmax(np.asarray(layer.data[FRAME])) > 0]
    if not hot:
        sys.exit("No heatmap of the sample holds any heat.")
    return hot


def wait(is_done: Callable[[], bool], failure: str, session: ReviewSession) -> None:
    """Let the window work until something is done; end with the session's messages if it never is."""
    end = time.perf_counter() + PATIENCE_S
    while not is_done():
        QApplication.processEvents()
        time.sleep(0.005)
        if time.perf_counter() > end:
            sys.exit(f"{failure} within {PATIENCE_S} s. {' '.join(session.outcomes.values())}")


def torch_version() -> str:
    import torch

    return torch.__version__


if __name__ == "__main__":
    main()
