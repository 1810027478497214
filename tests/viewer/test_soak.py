"""A long, random review: nothing fails, and no result of another frame, network or method is shown."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable

import numpy as np
import psutil  # type: ignore[import-untyped]
import pytest
import torch
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot
from torch import nn

from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.network import Network
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.review.session import ReviewSession

ACTIONS = 2000
CHECK_EVERY = 5
FRAMES, SIDE = 30, 32


def tiny_network(seed: int) -> Network:
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Conv2d(1, 6, 3, 2, 1), nn.ReLU(), nn.Conv2d(6, 4, 3, 1, 1), nn.ReLU())
    module.add_module("up", nn.Upsample(scale_factor=2))
    module.add_module("head", nn.Conv2d(4, 1, 1))
    return Network.from_module(module, ModelCard(input_channels=1, normalization="unit"), device="cpu")


class Reviewer:
    """A user who acts at random, and who knows what should be shown."""

    def __init__(self, session: ReviewSession) -> None:
        self.session = session
        self.random = random.Random(0)
        self.cine = np.random.default_rng(0).integers(0, 255, (FRAMES, SIDE, SIDE), dtype=np.uint8)
        self.networks = [tiny_network(seed) for seed in range(3)]
        self.request: RunRequest | None = None
        self.request_threshold: float | None = None
        self._expected: dict[tuple[object, ...], Explanation] = {}
        session.viewer.add_image(self.cine)
        session.use(self.networks[0])

    def act(self) -> None:
        actions: dict[Callable[[], None], int] = {
            self.scrub: 60,
            self.step: 60,
            self.run: 12,
            self.stop: 4,
            self.swap_network: 3,
            self.change_threshold: 6,
            self.delete_layer: 4,
            self.rename_layer: 2,
            self.shrink_memory: 3,
            self.move_image: 2,
            self.show_or_hide: 5,
            self.change_pixels: 1,
        }
        (action,) = self.random.choices(list(actions), list(actions.values()))
        action()

    def scrub(self) -> None:
        self.session.go_to(self.random.randrange(FRAMES))

    def step(self) -> None:
        self.session.go_to((self.session.current_frame() + self.random.choice((-1, 1, 1))) % FRAMES)

    def run(self) -> None:
        method = self.random.choice(("gradcam", "hirescam", "gradcam"))
        stages = self.random.choice((None, ("0",), ("0", "2"), ("2",)))
        request = RunRequest(method, stages, region=self.random.choice(("mask", "image")))
        self.session.run(request, self.random.choice(("current", "visited", "all")))
        if stages is not None:
            self.request, self.request_threshold = request, self.session.threshold
        elif self.request is None:
            self.request_threshold = self.session.threshold

    def stop(self) -> None:
        self.session.cancel()

    def swap_network(self) -> None:
        self.session.use(self.random.choice(self.networks))
        self.request = None

    def change_threshold(self) -> None:
        self.session.set_threshold(self.random.choice((0.3, 0.45, 0.5, 0.55)))

    def delete_layer(self) -> None:
        result_layers = [layer for layer in self.session.viewer.layers if layer is not self.session.image]
        if result_layers:
            self.session.viewer.layers.remove(self.random.choice(result_layers))

    def rename_layer(self) -> None:
        self.random.choice(self.session.viewer.layers).name = f"layer {self.random.random()}"

    def shrink_memory(self) -> None:
        self.session.reviews.set_budget(self.random.choice((60_000, 120_000, 1 << 30)))

    def move_image(self) -> None:
        assert self.session.image is not None
        self.session.image.translate = (0, self.random.randrange(9), self.random.randrange(9))

    def show_or_hide(self) -> None:
        layer = self.random.choice(self.session.viewer.layers)
        layer.visible = not layer.visible

    def change_pixels(self) -> None:
        assert self.session.image is not None
        self.cine = np.random.default_rng(self.random.randrange(10**6)).integers(0, 255, self.cine.shape, np.uint8)
        self._expected.clear()
        self.request = None
        self.session.image.data = self.cine

    def expected(self, frame: int, request: RunRequest, threshold: float) -> Explanation:
        network = self.session.network
        assert network is not None
        key = (network, frame, request.method, request.region, threshold)
        if key not in self._expected:
            from napari_segcam.explanation.targets.target import Target

            explainer = Explainer(network, request.method, ("0", "2"), threshold)
            self._expected[key] = explainer(self.cine[frame], Target(region=request.region))
        return self._expected[key]

    def check(self) -> int:
        """Compare the overlays of the current and of a random frame; return how many there were."""
        layers, n_compared = self.session.layers(), 0
        assert layers is not None
        for frame in {self.session.current_frame(), self.random.randrange(FRAMES)}:
            mask = layers.mask
            if isinstance(mask, Labels) and mask.data[frame].any():
                masks = [self.expected(frame, RunRequest(), threshold).mask for threshold in (0.3, 0.45, 0.5, 0.55)]
                assert any((mask.data[frame] == expected).all() for expected in masks)
                n_compared += 1
            for stage, heatmap in layers.heatmaps.items():
                assert isinstance(heatmap, Image)
                values = np.asarray(heatmap.data[frame])
                if np.isfinite(values).any():
                    assert self.request is not None
                    assert self.request_threshold is not None
                    expected = self.expected(frame, self.request, self.request_threshold).heatmaps[stage]
                    np.testing.assert_allclose(values, expected.values, rtol=1e-4, atol=1e-6)
                    n_compared += 1
        return n_compared

    def check_settled(self) -> None:
        """Compare the mask of the current frame with the mask at the current threshold, when nothing runs."""
        layers, frame = self.session.layers(), self.session.current_frame()
        assert layers is not None
        if layers.mask is not None and layers.mask.data[frame].any():
            expected = self.expected(frame, RunRequest(), self.session.threshold).mask
            np.testing.assert_array_equal(layers.mask.data[frame], expected)


@pytest.mark.slow
@pytest.mark.usefixtures("messages")
def test_nothing_fails_and_no_outdated_result_is_shown(session: ReviewSession, qtbot: QtBot) -> None:
    reviewer = Reviewer(session)
    n_compared, memory = 0, 0
    for number in range(ACTIONS):
        reviewer.act()
        if number % CHECK_EVERY == 0:
            qtbot.wait(reviewer.random.randrange(20))
            n_compared += reviewer.check()
        if number % 200 == 199:
            qtbot.waitUntil(lambda: not session.is_busy, timeout=20_000)
            qtbot.wait(20)
            reviewer.check_settled()
            gc.collect()
            if number == 599:
                memory = psutil.Process().memory_info().rss
    assert n_compared > ACTIONS / 40
    assert psutil.Process().memory_info().rss - memory < 40e6
