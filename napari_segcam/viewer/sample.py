"""The sample in napari's menu File ▸ Open Sample."""

from __future__ import annotations

from napari.types import LayerDataTuple

from napari_segcam.demo import sample_cine
from napari_segcam.viewer.reader import read_layers


def fibroid_sweep() -> list[LayerDataTuple]:
    """Return a simulated ultrasound sweep over a uterus with fibroids."""
    return read_layers(str(sample_cine()))
