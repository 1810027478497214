"""A long, random review in real windows: after each action, what the window says is compared with what it draws.

usage: soak.py ACTIONS SEED: if nothing is wrong, it exits with 0 and prints how often each thing was compared.

The expected texts come from the pixels of the layers and from a separate explainer, not from the session itself.
"""

from __future__ import annotations

import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import napari
import numpy as np
import torch
from napari.layers import Image, Labels
from napari.utils.notifications import NotificationSeverity, notification_manager
from PIL import Image as PILImage
from qtpy.QtTest import QTest
from torch import nn

from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.targets.target import Target
from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.network import Network
from napari_segcam.viewer.docks import dock
from napari_segcam.viewer.frames.run_request import CORRECTED, RunRequest
from napari_segcam.viewer.jobs.export_job import Export
from napari_segcam.viewer.review.outputs import export_frames
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.workspace import open_workspace

ACTIONS_A_WINDOW = 125
FRAMES, SIDE = 6, 32
METADATA_KEY = "segcam"


def tiny_network(seed: int) -> Network:
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Conv2d(1, 6, 3, 2, 1), nn.ReLU(), nn.Conv2d(6, 4, 3, 1, 1), nn.ReLU())
    module.add_module("up", nn.Upsample(scale_factor=2))
    module.add_module("head", nn.Conv2d(4, 1, 1))
    return Network.from_module(module, ModelCard(input_channels=1, normalization="unit"), device="cpu")


class Reviewer:
    """A user who acts at random in one window."""

    def __init__(self, generator: random.Random, networks: list[Network], folder: Path) -> None:
        self.random, self.networks, self.folder = generator, networks, folder
        self.viewer = napari.Viewer()
        open_workspace(self.viewer)
        self.session = session_of(self.viewer)
        self.gradcam: Any = dock(self.viewer, "Grad-CAM")[1]
        self.compared: Counter[str] = Counter()
        self.export_numbers = count()
        self.n_opened = 0
        self.last_action = ""

    # Actions

    def act(self) -> None:
        actions: dict[Callable[[], None], int] = {
            self.open_cine: 5,
            self.open_still: 2,
            self.open_file: 2,
            self.remove_image: 4,
            self.clear_layers: 1,
            self.remove_layer: 3,
            self.reorder_layers: 4,
            self.choose_image: 4,
            self.explain: 16,
            self.explain_by_button: 5,
            self.segment: 3,
            self.paint: 8,
            self.undo: 2,
            self.switch_network: 3,
            self.change_threshold: 4,
            self.change_scale: 5,
            self.step: 16,
            self.hide_or_show: 5,
            self.show_in_3d: 2,
            self.export: 9,
            self.hide_dock: 1,
            self.open_workspace: 1,
        }
        (action,) = self.random.choices(list(actions), list(actions.values()))
        self.last_action = action.__name__
        action()

    def open_cine(self) -> None:
        self._limit_images()
        self.viewer.add_image(self._pixels(FRAMES), name=f"cine {self.n_opened}")

    def open_still(self) -> None:
        self._limit_images()
        self.viewer.add_image(self._pixels(), name=f"still {self.n_opened}")

    def open_file(self) -> None:
        self._limit_images()
        path = self.folder / "frame.png"
        PILImage.fromarray(self._pixels()).save(path)
        self.viewer.open(path)

    def remove_image(self) -> None:
        if images := self._images():
            self.viewer.layers.remove(self.random.choice(images))

    def clear_layers(self) -> None:
        self.viewer.layers.clear()

    def remove_layer(self) -> None:
        if self.viewer.layers:
            self.viewer.layers.pop(self.random.randrange(len(self.viewer.layers)))

    def reorder_layers(self) -> None:
        if len(self.viewer.layers) > 1:
            self.viewer.layers.move(self.random.randrange(len(self.viewer.layers)), 0)

    def choose_image(self) -> None:
        if images := self._images():
            self.session.choose_image(self.random.choice(images))

    def explain(self) -> None:
        stages = self.random.choice((("0",), ("0", "2"), ("2",)))
        method = self.random.choice(("gradcam", "hirescam"))
        region = self.random.choice(("mask", "mask", CORRECTED, "image"))
        self._run(RunRequest(method, stages, region=region))

    def explain_by_button(self) -> None:
        if self.gradcam.run_bar.run.isEnabled():
            self.gradcam.run_bar.run.click()

    def segment(self) -> None:
        self._run(RunRequest())

    def paint(self) -> None:
        layers = self.session.layers()
        target = None if layers is None else self.random.choice((layers.mask, layers.corrections.layer))
        if isinstance(target, Labels):
            rows, columns = (axis.ravel() + self.random.randrange(20) for axis in np.mgrid[0:6, 0:9])
            frames = (np.full(len(rows), self._frame()),) if target.ndim == 3 else ()
            target.data_setitem((*frames, rows, columns), self.random.choice((0, 1)))

    def undo(self) -> None:
        layers = self.session.layers()
        if layers is not None and layers.corrections.layer is not None:
            layers.corrections.layer.undo()

    def switch_network(self) -> None:
        self.session.use(self.random.choice(self.networks))

    def change_threshold(self) -> None:
        self.session.set_threshold(self.random.choice((0.4, 0.45, 0.5, 0.55)))

    def change_scale(self) -> None:
        self.gradcam.scale.setCurrentIndex(self.random.randrange(2))
        self.gradcam.scale.chosen.emit(self.gradcam.scale.value)

    def step(self) -> None:
        if self.viewer.dims.ndim > 2:
            self.viewer.dims.set_current_step(0, self.random.randrange(FRAMES))

    def hide_or_show(self) -> None:
        if layers := [layer for layer in self.viewer.layers if self._owner(layer) == self._chosen()]:
            layer = self.random.choice(layers)
            layer.visible = not layer.visible

    def show_in_3d(self) -> None:
        self.viewer.dims.ndisplay = 3
        self._wait()
        self.viewer.dims.ndisplay = 2

    def export(self) -> None:
        review = self.session.review
        if review is not None and review.plan is not None:
            if self.random.random() < 0.5:
                self.paint()
                self._wait()
            folder = self.folder / f"export {next(self.export_numbers)}"
            export_frames(self.session, Export(folder, [self._frame()]))
            self._wait()
            self._check_export(folder)

    def hide_dock(self) -> None:
        dock(self.viewer, "Cine strip")[0].hide()

    def open_workspace(self) -> None:
        open_workspace(self.viewer)

    # Checks

    def check(self) -> None:
        """Compare all texts with what is drawn."""
        self._wait()
        session, image = self.session, self.session.image
        for layer in self.viewer.layers:
            assert not (layer.visible and self._owner(layer) not in (None, self._chosen())), f"{layer} of another image"
        frame_text, scale_text = self._text_of("segcam_status"), self._text_of("segcam_scale")
        if image is None:
            assert (frame_text, scale_text) == ("", ""), (frame_text, scale_text)
            return
        layers, frame = session.layers(), self._frame()
        assert layers is not None
        assert session.record is not None
        assert "computing" not in frame_text
        mask = None if layers.mask is None else self._frame_of(layers.mask)
        if mask is not None and mask.any():
            assert "no finding" not in frame_text
            assert "not computed" not in frame_text.replace("heat not computed", "")
            assert session.record.curves["area"][frame] == (mask == 1).sum(), "the strip's area is of another mask"
            self.compared["area"] += 1
        visible = {stage: layer for stage, layer in layers.heatmaps.items() if layer.visible}
        with_heat = {}
        for stage, layer in layers.heatmaps.items():
            values = self._frame_of(layer)
            has_heat = layer.visible and np.isfinite(values).any() and bool(np.nan_to_num(values).any())
            assert layer.colorbar.visible == has_heat or not layer.visible, (stage, has_heat, frame_text, scale_text)
            if has_heat:
                with_heat[stage] = values
        assert bool(scale_text) == bool(with_heat), (scale_text, list(visible), list(with_heat))
        for stage, values in with_heat.items():
            self._check_scale(scale_text, visible[stage], values)
            self._check_region(frame_text, stage, values)

    def _check_export(self, folder: Path) -> None:
        """Compare the exported mask and correction of the current frame with the layers."""
        layers = self.session.layers()
        assert layers is not None
        if layers.mask is not None and (mask := self._frame_of(layers.mask)).any():
            np.testing.assert_array_equal(np.asarray(PILImage.open(folder / "mask.png")), mask)
            self.compared["exported mask"] += 1
        text = self._text_of("segcam_status")
        is_corrected = self._is_corrected(text)
        assert (folder / "correction.png").exists() == is_corrected, text
        if is_corrected and layers.corrections.layer is not None:
            correction = self._frame_of(layers.corrections.layer)
            np.testing.assert_array_equal(np.asarray(PILImage.open(folder / "correction.png")), correction)
            self.compared["exported correction"] += 1

    def _check_scale(self, text: str, layer: Image, values: np.ndarray) -> None:
        if "by hand" in text:
            return
        if "all frames" in text:
            heatmaps = [np.asarray(layer.data[number]) for number in range(len(layer.data))]
            peak = max(np.nanmax(heatmap) for heatmap in heatmaps if np.isfinite(heatmap).any())
        else:
            assert "this frame" in text, text
            peak = np.nanmax(values)
        np.testing.assert_allclose(layer.contrast_limits, (0, peak or 1), rtol=1e-5, err_msg=text)
        self.compared["scale"] += 1

    def _check_region(self, text: str, stage: str, values: np.ndarray) -> None:
        """Compare the heat with that of the region that the text names, or else of an outlined region."""
        session, layers = self.session, self.session.layers()
        review = session.review
        assert review is not None
        assert review.plan is not None
        assert layers is not None
        regions: list[tuple[Any, float]] = []
        if match := re.search(
            r"heat explains (the mask predicted above ([\d.]+)|your correction|the whole frame)",
            " ".join(text.split()),
        ):
            if match[2]:
                regions = [("mask", float(match[2]))]
            elif match[1] == "the whole frame":
                regions = [("image", 0.5)]
            else:
                regions = [(self._frame_of(layers.corrections.layer) == 1, 0.5)]
        else:
            for layer in (layers.mask, layers.corrections.layer if self._is_corrected(text) else None):
                if layer is not None and layer.visible and (region := self._frame_of(layer) == 1).any():
                    regions.append((region, 0.5))
        assert session.network is not None
        assert session.image is not None
        for region, threshold in regions:
            explainer = Explainer(session.network, review.plan.request.method, (stage,), threshold)
            expected = explainer(self._frame_of(session.image), Target(0, region)).heatmaps[stage].values
            np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-5, err_msg=f"{stage}: {text!r}")
            self.compared["region"] += 1

    # What the window shows

    def _is_corrected(self, text: str) -> bool:
        return "corrected by you" in text

    def _text_of(self, name: str) -> str:
        overlay = self.viewer.canvas.overlays[name]
        return overlay.text.replace("\n", " ") if overlay.visible else ""

    def _frame_of(self, layer: Any) -> np.ndarray:
        return np.asarray(layer.data[self._frame()] if layer.ndim == 3 else layer.data)

    def _frame(self) -> int:
        image = self.session.image
        return 0 if image is None or image.ndim == 2 else min(int(self.viewer.dims.current_step[0]), FRAMES - 1)

    def _chosen(self) -> object:
        return None if self.session.image is None else self.session.image.unique_id

    @staticmethod
    def _owner(layer: Any) -> object:
        if METADATA_KEY in layer.metadata:
            return layer.metadata[METADATA_KEY].get("image")
        return layer.unique_id if isinstance(layer, Image) else None

    def _images(self) -> list[Image]:
        return [
            layer for layer in self.viewer.layers if isinstance(layer, Image) and METADATA_KEY not in layer.metadata
        ]

    def _limit_images(self) -> None:
        self.n_opened += 1
        if len(self._images()) > 2:
            self.remove_image()

    def _pixels(self, *n_frames: int) -> np.ndarray:
        shape = (*n_frames, SIDE, SIDE)
        return np.random.default_rng(self.random.randrange(10**6)).integers(0, 255, shape, dtype=np.uint8)

    def _run(self, request: RunRequest) -> None:
        if self.session.missing() is None:
            self.session.run(request, self.random.choice(("current", "visited", "all")))

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        QTest.qWait(5)
        while self.session.is_busy or self.session.background.job is not None:
            assert time.monotonic() < deadline, "it hangs"
            QTest.qWait(5)
        QTest.qWait(10)


def soak(actions: int, seed: int) -> None:
    generator = random.Random(seed)
    networks = [tiny_network(number) for number in range(3)]
    compared: Counter[str] = Counter()
    n_done = 0
    with tempfile.TemporaryDirectory() as folder:
        while n_done < actions:
            reviewer = Reviewer(generator, networks, Path(folder))
            reviewer.session.use(networks[0])
            history: list[str] = []
            for _ in range(min(ACTIONS_A_WINDOW, actions - n_done)):
                reviewer.act()
                history.append(reviewer.last_action)
                try:
                    reviewer.check()
                except AssertionError:
                    print(f"after {n_done} actions and {history[-30:]}", flush=True)
                    raise
                n_done += 1
            compared += reviewer.compared
            reviewer.viewer.close()
            QTest.qWait(20)
    errors = [
        record.message for record in notification_manager.records if record.severity >= NotificationSeverity.ERROR
    ]
    assert not errors, errors
    print(json.dumps({"actions": n_done, **compared}), flush=True)


if __name__ == "__main__":
    soak(int(sys.argv[1]), int(sys.argv[2]))
