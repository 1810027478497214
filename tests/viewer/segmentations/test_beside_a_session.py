"""Layers of files beside the plugin's own work: never taken for its mask or correction, nor lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from opened import Open, random_masks, source_file, write_segmentation

from napari_segcam.network.network import Network
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.layers.hide_overlays import HideOverlays
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.sessions import session_of


def test_a_run_leaves_the_layers_of_a_file_alone(
    viewer: ViewerModel,
    open_files: Open,
    network: Network,
    finish: Callable[[ReviewSession], None],
    tmp_path: Path,
) -> None:
    session = session_of(viewer)
    source = source_file(tmp_path, "gray_cine")
    masks = random_masks(source, 1)
    open_files(viewer, source, write_segmentation(source, tmp_path / "m.dcm", masks))
    image, labels = viewer.layers
    assert isinstance(labels, Labels)
    session.use(network)
    session.run(RunRequest(stages=("encoder_5",)), "all")
    finish(session)
    for step in (3, 0, 5):
        viewer.dims.set_current_step(0, step)
    layers = session.layers()
    assert layers is not None
    assert layers.mask is not labels
    assert labels in viewer.layers
    np.testing.assert_array_equal(labels.data > 0, masks[:, 0])
    assert not list(session.reviews.corrections())
    assert session.image is image
    session.use(network)  # drops its own results
    np.testing.assert_array_equal(labels.data > 0, masks[:, 0])


def test_a_file_opened_after_a_run(
    reviewed: ReviewSession, open_files: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = reviewed.viewer
    record, mask = reviewed.record, reviewed.layers().mask  # type: ignore[union-attr]
    assert mask is not None
    before = np.asarray(mask.data).copy()
    source = source_file(tmp_path, "gray_cine")
    fractions = random_masks(source, 1).astype(np.float32)
    file = write_segmentation(source, tmp_path / "p.dcm", fractions, kind="fractional")
    monkeypatch.setattr(napari, "current_viewer", lambda: viewer)
    open_files(viewer, file)
    assert reviewed.image is not None
    assert reviewed.image.name == "gray_cine"  # the image that was opened, not the fractions
    assert [layer.name for layer in reviewed.choices.images()] == ["sweep", "gray_cine"]
    np.testing.assert_array_equal(mask.data, before)
    shown = {layer.name: layer.visible for layer in viewer.layers}
    assert shown["fibroid ≥ 0.5 (p.dcm)"]
    sweep = reviewed.choices.images()[0]
    reviewed.choose_image(sweep)
    assert reviewed.record is record
    shown = {layer.name: layer.visible for layer in viewer.layers}
    assert not shown["fibroid ≥ 0.5 (p.dcm)"]
    assert not shown["fibroid probability (p.dcm)"]
    assert mask.visible


def test_a_segment_can_be_the_region_that_is_explained(
    viewer: ViewerModel,
    open_files: Open,
    network: Network,
    finish: Callable[[ReviewSession], None],
    tmp_path: Path,
) -> None:
    session = session_of(viewer)
    source = source_file(tmp_path, "anisotropic_cine")
    masks = random_masks(source, 1)
    open_files(viewer, source, write_segmentation(source, tmp_path / "m.dcm", masks))
    (labels,) = session.choices.regions()
    session.use(network)
    viewer.dims.set_current_step(0, 2)
    session.run(RunRequest(stages=("encoder_5",), region=labels), "current")
    finish(session)
    assert session.review is not None
    stored = session.review.results.stored_heatmaps(2)
    assert stored is not None
    assert stored.region is not None
    region = np.zeros(masks.shape[-2:], np.uint8)
    stored.region.paint(region)
    np.testing.assert_array_equal(region > 0, masks[2, 0])


def test_the_key_that_hides_overlays_hides_them_too(viewer: ViewerModel, open_files: Open, tmp_path: Path) -> None:
    source = source_file(tmp_path, "gray_cine")
    open_files(viewer, source, write_segmentation(source, tmp_path / "m.dcm", random_masks(source, 1)))
    labels = viewer.layers[1]
    hide = HideOverlays(viewer)
    hide.hold()
    assert labels.opacity == 0
    hide.release()
    assert labels.opacity > 0
