"""A place that the user asks about: a plan of its own, shown in place of the run's, from the same forward pass."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from napari.layers import Image

from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.targets.region import At, Box
from napari_segcam.explanation.targets.target import Target
from napari_segcam.network.network import Network
from napari_segcam.viewer.frames.explainers import Explainers
from napari_segcam.viewer.frames.frame_computer import FrameComputer
from napari_segcam.viewer.frames.frame_results import FrameResult
from napari_segcam.viewer.frames.layer_source import LayerSource
from napari_segcam.viewer.frames.plan import Plan
from napari_segcam.viewer.frames.result_store import ResultStore
from napari_segcam.viewer.frames.review_results import ReviewResults
from napari_segcam.viewer.frames.run_request import RunRequest

STAGES = ("encoder_5", "encoder_2")


class Forwards:
    """Counts the forward passes of a network in this thread; workers of earlier tests may still end theirs."""

    def __init__(self, network: Network) -> None:
        self.count = 0
        self._thread = threading.get_ident()
        modules = {network.module, network.module_for([network.stage(STAGES[0])])[0]}
        self._handles = [module.register_forward_hook(self._on_forward) for module in modules]

    def _on_forward(self, *_: object) -> None:
        self.count += threading.get_ident() == self._thread

    def remove(self) -> None:
        for handle in self._handles:
            handle.remove()


@pytest.fixture
def forwards(network: Network) -> Iterator[Forwards]:
    counter = Forwards(network)
    yield counter
    counter.remove()


@pytest.fixture
def plan(network: Network, frames: np.ndarray) -> Plan:
    return Plan(network, LayerSource.from_layer(Image(frames)), RunRequest(stages=STAGES), 0.5, lambda _frame: None)


def asked(plan: Plan, region: At | Box) -> Plan:
    return replace(plan, request=replace(plan.request, region=region))


def compute(plan: Plan, explainers: Explainers, frame: int, *, hold: bool = True) -> FrameResult:
    computer = FrameComputer(plan, explainers)
    computer.hold = hold
    (result,) = computer.compute(frame, STAGES, 0.5)
    assert isinstance(result, FrameResult)
    return result


def test_the_second_answer_comes_without_a_second_forward_pass(
    plan: Plan, forwards: Forwards, network: Network, frames: np.ndarray
) -> None:
    explainers = Explainers()
    compute(plan, explainers, 1)
    places = [asked(plan, At(40, 30)), asked(plan, Box(2, 3, 30, 40))]
    answers = [compute(place, explainers, 1) for place in places]
    assert forwards.count == 1
    for place, answer in zip(places, answers, strict=True):
        region = place.request.region
        expected = Explainer(network, stages=STAGES)(
            frames[1], Target(region=region), place.source.cine.value_range, pixel_aspect=1.0
        )
        for name, heatmap in answer.heatmaps.items():
            np.testing.assert_array_equal(heatmap.values, expected.heatmaps[name].values)
        assert answer.region is not None
        np.testing.assert_array_equal(answer.region, expected.region)
    assert answers[0].is_found == bool(answers[0].masks[0].region(1, slice(0, 96), slice(0, 64))[40, 30])
    assert answers[1].is_found is None, "a box is no question of found or not"


def test_the_forward_pass_is_released_before_another_frame_runs(plan: Plan, forwards: Forwards) -> None:
    explainers = Explainers()
    compute(plan, explainers, 0)
    held = explainers._held
    assert held is not None
    assert held.is_held
    held_in_pass: list[bool] = []
    handle = plan.network.module_for([plan.network.stage(STAGES[0])])[0].register_forward_pre_hook(
        lambda *_: held_in_pass.append(held.is_held)
    )
    compute(plan, explainers, 1, hold=False)
    handle.remove()
    assert held_in_pass == [False]
    assert explainers._held is None
    compute(plan, explainers, 1, hold=False)
    assert forwards.count == 3, "a frame that is not in view is not kept"


def test_the_forward_pass_is_released_when_it_is_idle_or_the_network_changes(
    plan: Plan, three_classes: Network
) -> None:
    explainers = Explainers()
    explainers.idle_seconds = 0.05
    compute(plan, explainers, 0)
    held = explainers._held
    assert held is not None
    deadline = time.monotonic() + 10
    while held.is_held and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not held.is_held
    explainers.idle_seconds = 60
    compute(plan, explainers, 0)
    assert held.is_held, "the next question runs the network again, and keeps the pass"
    compute(replace(plan, network=three_classes), explainers, 0)
    assert not held.is_held
    explainers.release()


def test_an_answer_is_shown_in_place_of_the_run_whose_results_stay(plan: Plan) -> None:
    explainers, results = Explainers(), ReviewResults(ResultStore(1 << 30))
    results.plan = plan
    assert results.put(compute(plan, explainers, 0))
    of_mask, stored = results.heatmaps(0), results.segmentation(0)
    place = asked(plan, At(40, 30))
    results.asked = place
    assert not results.heatmaps(0), "nothing is shown under the wrong name before the answer"
    assert results.put(compute(place, explainers, 0))
    assert results.shown is place
    shown = results.heatmaps(0)
    assert not torch.equal(*(torch.from_numpy(maps["encoder_5"].values) for maps in (shown, of_mask)))
    assert results.heatmaps(0, plan) == of_mask
    assert results.figures(0) != results.figures(0, plan)
    assert results.segmentation(0) is stored
    assert results.put(compute(plan, explainers, 1)), "the run goes on meanwhile"
    assert results.heatmaps(1) == {}
    assert results.heatmaps(1, plan)
    used = results._store.used_bytes
    results.asked = None
    assert results.heatmaps(0) == of_mask
    assert results._store.used_bytes < used, "the answer needs no memory any more"
    assert not results.put(compute(replace(place, source=replace(plan.source)), explainers, 0)), "of other frames"


def test_a_new_run_ends_what_was_asked(plan: Plan) -> None:
    results = ReviewResults(ResultStore(1 << 30))
    results.plan = plan
    results.asked = asked(plan, At(1, 1))
    results.plan = replace(plan, threshold=0.4)
    assert results.asked is None
    assert results.shown is results.plan


def test_a_late_answer_is_not_stored_as_the_runs(plan: Plan) -> None:
    explainers, results = Explainers(), ReviewResults(ResultStore(1 << 30))
    results.plan = plan
    assert results.put(compute(asked(plan, At(40, 30)), explainers, 0))
    assert results.segmentation(0) is not None, "its mask is that of the frame"
    assert results.heatmaps(0) == {}
