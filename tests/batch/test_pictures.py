"""Pictures of a batch: sheets that are small, and show what the other pictures show."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

import napari_segcam as sc
from napari_segcam.batch.pictures import sheet_jpeg
from napari_segcam.reporting.figures import display, with_heat
from napari_segcam.reporting.thumbnails import small_heat

LABEL_HEIGHT, GAP = 15, 4


@pytest.mark.parametrize("method", ["gradcam", "gradcam_signed"])
def test_a_tile_shows_the_heat_in_the_colors_of_the_other_pictures(network: sc.Network, method: str) -> None:
    frame = np.linspace(0, 200, 64 * 96).reshape(64, 96).astype(np.uint8)  # smooth, as JPEG keeps it best
    explanation = sc.Explainer(network, method, ["encoder_5"], threshold=0.999)(frame, sc.Target(region="image"))
    assert not explanation.target_mask.any(), "an outline would blur in the JPEG"
    sheet = np.asarray(Image.open(io.BytesIO(sheet_jpeg(frame, (0, 255), [explanation]))))
    (heatmap,) = explanation.heatmaps.values()
    expected = with_heat(display(frame, (0, 255)), small_heat(heatmap, (64, 96)), signed=heatmap.signed)
    top = 2 * (GAP + LABEL_HEIGHT) + 64  # the frame and the mask fill the first row of tiles
    tile = sheet[top : top + 64, GAP : GAP + 96].astype(int)
    assert np.abs(tile - expected).mean() < 8
    assert np.abs(tile - display(frame, (0, 255))).mean() > 30, "the frame without heat would be noticed"


def test_a_sheet_is_small_whatever_the_frame_holds(network: sc.Network) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (256, 256), dtype=np.uint8)
    widths = {}
    for name, frame in (("plain", np.full_like(noise, 90)), ("noise", noise)):
        data = sheet_jpeg(frame, (0, 255), [sc.Explainer(network)(frame)])
        assert len(data) <= 45_000
        widths[name] = Image.open(io.BytesIO(data)).width
    assert widths["plain"] > widths["noise"], "a plain frame need not be shrunk"
