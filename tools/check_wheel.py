"""Check that napari finds all of an installed napari-segcam: run by `.ci/run` outside the checkout, on the wheel.

Opens a viewer, docks every widget of the manifest and opens every sample, then says what there was.
"""

from __future__ import annotations

import sys
from pathlib import Path

import napari
from npe2 import PluginManager

import napari_segcam

PLUGIN = "napari-segcam"


def main() -> None:
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
    for sample in samples:
        layers = viewer.open_sample(PLUGIN, sample.key)
        if not layers:
            sys.exit(f"The sample {sample.display_name!r} opened no layer.")
        print(f"sample  {sample.display_name}: {', '.join(layer.name for layer in layers)}")
    viewer.close()


if __name__ == "__main__":
    main()
