"""Explaining an ensemble: averages against independent formulas, and all that an explainer does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_networks import CARD, Classifier, SmallUnet, small

import napari_segcam as sc
from napari_segcam.errors import SegcamError
from napari_segcam.explanation.emptiness import Reason
from napari_segcam.explanation.ensemble import ensemble_engine
from napari_segcam.explanation.ensemble.ensemble_engine import pass_bytes
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.slow_methods.control import Cancelled, ProgressControl
from napari_segcam.explanation.targets.region import Box

FRAME = np.random.default_rng(7).random((26, 30), dtype=np.float32)
STAGES = ["stem", "deep", "decoder"]
EVERY_KIND = ["gradcam", "gradcam++", "layercam", "hirescam", "eigencam", "gradcam_signed", "occlusion", "scorecam"]


def assert_same(ours: Explanation, theirs: Explanation) -> None:
    np.testing.assert_array_equal(ours.probabilities, theirs.probabilities)
    np.testing.assert_array_equal(ours.segmentation.probabilities, theirs.segmentation.probabilities)
    np.testing.assert_array_equal(ours.mask, theirs.mask)
    np.testing.assert_array_equal(ours.region, theirs.region)
    assert list(ours.heatmaps) == list(theirs.heatmaps)
    for name, heatmap in ours.heatmaps.items():
        np.testing.assert_array_equal(heatmap.values, theirs.heatmaps[name].values)
        assert heatmap.reason == theirs.heatmaps[name].reason
        assert (heatmap.stage, heatmap.geometry) == (theirs.heatmaps[name].stage, theirs.heatmaps[name].geometry)


# ── one network several times ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", EVERY_KIND)
@pytest.mark.parametrize("classes", [1, 3])
def test_the_same_network_twice_is_that_network_bit_for_bit(method: str, classes: int) -> None:
    network = small(11, classes)
    ensemble = sc.Ensemble.of_networks([network, network])
    alone = sc.Explainer(network, method, STAGES)(FRAME)
    together = sc.Explainer(ensemble, method, STAGES)(FRAME)
    assert alone.mask.any()
    assert any(heatmap.values.any() for heatmap in alone.heatmaps.values())
    assert_same(together, alone)
    assert together.disagreement is not None
    assert together.disagreement.value == 0
    assert not together.disagreement.deviation.any()


@pytest.mark.parametrize("count", [3, 5, 7])
def test_so_is_any_number_of_copies_at_any_weights(count: int) -> None:
    network = small(11)
    weights = np.random.default_rng(count).random(count) + 0.1
    together = sc.Explainer(sc.Ensemble.of_networks([network] * count, list(weights)), stages=STAGES)(FRAME)
    assert_same(together, sc.Explainer(network, stages=STAGES)(FRAME))
    assert together.disagreement is not None
    assert not together.disagreement.deviation.any()


def test_resized_frames_and_crops_too() -> None:
    card = sc.ModelCard(
        input_channels=1,
        normalization="unit",
        size=sc.ModelCard().size.model_validate({"rule": "letterbox", "height": 40, "width": 36}),
    )
    network = small(11, card=card)
    ensemble = sc.Ensemble.of_networks([network, network])
    crop = (slice(2, 25), slice(3, 29))
    for target in (sc.Target(), sc.Target(region=Box(3, 4, 15, 20)), sc.Target(region="image")):
        alone = sc.Explainer(network, stages=STAGES)(FRAME, target, crop=crop, pixel_aspect=1.3)
        assert_same(sc.Explainer(ensemble, stages=STAGES)(FRAME, target, crop=crop, pixel_aspect=1.3), alone)


# ── different networks ────────────────────────────────────────────────────────────────────────────────────────────────


def test_averages_are_those_computed_by_hand() -> None:
    weights = (0.5, 0.3, 0.2)
    members = [small(seed) for seed in (2, 7, 11)]
    result = sc.Explainer(sc.Ensemble.of_networks(members, weights), stages=["deep"])(FRAME)

    padded = torch.zeros(1, 1, *result.segmentation.geometry.input_shape)
    padded[..., :26, :30] = torch.from_numpy(FRAME)
    logits, maps = [], []
    for seed in (2, 7, 11):
        module = SmallUnet(seed).eval()
        kept: list[torch.Tensor] = []
        module.deep.register_forward_hook(lambda _layer, _inputs, output, kept=kept: kept.append(output))
        logits.append(module(padded))
        maps.append(kept[0])
    mean = sum(weight * each.sigmoid() for weight, each in zip(weights, logits, strict=True))
    region = (mean > 0.5) & (torch.arange(padded.shape[-1]) < 30) & (torch.arange(padded.shape[-2])[:, None] < 26)
    assert region.any()
    total, sum_of_weights = torch.zeros_like(maps[0][0, 0]), 0.0
    for weight, each, activation in zip(weights, logits, maps, strict=True):
        (gradient,) = torch.autograd.grad(each[region].sum(), activation)
        cam = (gradient.mean((2, 3), keepdim=True) * activation).sum(1)[0].relu()
        share = weight * float(each.detach().sigmoid()[region].mean())
        total, sum_of_weights = total + share * cam, sum_of_weights + share
    np.testing.assert_allclose(result.probabilities[0], mean[0, 0, :26, :30].detach(), atol=1e-6)
    np.testing.assert_array_equal(result.region, region[0, 0, :26, :30])
    expected = (total / sum_of_weights).detach().numpy()
    np.testing.assert_allclose(result.heatmaps["deep"].values, expected, rtol=1e-4, atol=1e-5 * expected.max())


def test_each_member_explains_its_own_score_for_the_region_of_the_ensemble() -> None:
    members = [small(seed) for seed in (2, 7)]
    result = sc.Explainer(sc.Ensemble.of_networks(members), stages=STAGES)(FRAME)
    assert len(result.members) == 2
    for network, member in zip(members, result.members, strict=True):
        alone = sc.Explainer(network, stages=STAGES)(FRAME, sc.Target(region=result.region))
        np.testing.assert_array_equal(member.mask, alone.mask)
        for name in STAGES:
            np.testing.assert_array_equal(member.heatmaps[name].values, alone.heatmaps[name].values)
    assert not np.array_equal(result.members[0].mask, result.members[1].mask)
    assert result.target.region == "mask"


def test_disagreement_is_the_deviation_and_the_dice_distance() -> None:
    result = sc.Explainer(sc.Ensemble.of_networks([small(seed) for seed in (2, 7, 11)]), stages=())(FRAME)
    assert result.disagreement is not None
    stacked = np.stack([member.probabilities[0] for member in result.members]).astype(np.float64)
    np.testing.assert_allclose(result.disagreement.deviation, stacked.std(0), atol=1e-7)
    masks = stacked > 0.5
    pairs = [(0, 1), (0, 2), (1, 2)]
    dice = [2 * (masks[i] & masks[j]).sum() / (masks[i].sum() + masks[j].sum()) for i, j in pairs]
    assert result.disagreement.value == pytest.approx(1 - np.mean(dice))
    assert 0 < result.disagreement.value < 1


def test_members_may_see_the_frame_in_other_sizes() -> None:
    wide = sc.ModelCard(
        input_channels=1,
        normalization="unit",
        size={"rule": "resize", "height": 48, "width": 64},  # type: ignore[arg-type]
    )
    members = [small(2), small(7, card=wide)]
    result = sc.Explainer(sc.Ensemble.of_networks(members), stages=["deep"])(FRAME)
    alone = [sc.Explainer(member, stages=["deep"])(FRAME) for member in members]
    np.testing.assert_allclose(result.probabilities, np.mean([each.probabilities for each in alone], axis=0), atol=1e-6)
    assert result.mask.shape == FRAME.shape
    assert result.heatmaps["deep"].values.shape == FRAME.shape
    region = result.region
    shares = [float(each.probabilities[0][region].mean()) for each in alone]
    own = [
        sc.Explainer(member, stages=["deep"])(FRAME, sc.Target(region=region)).heatmaps["deep"].raw_on_frame()
        for member in members
    ]
    np.testing.assert_allclose(
        result.heatmaps["deep"].values, np.average(own, axis=0, weights=shares), rtol=1e-4, atol=1e-6
    )


def test_maps_of_one_stage_in_two_sizes_have_the_larger_one() -> None:
    class Coarse(SmallUnet):
        def __init__(self) -> None:
            super().__init__(5)
            self.deep = torch.nn.Conv2d(6, 6, 5, stride=4, padding=2)

    coarse = sc.Network.from_module(Coarse(), CARD, device="cpu", rewrite=False)
    fine = small(2)
    result = sc.Explainer(sc.Ensemble.of_networks([coarse, fine]), stages=["deep"])(FRAME[:24, :24])
    assert result.heatmaps["deep"].values.shape == result.members[1].heatmaps["deep"].values.shape
    assert result.heatmaps["deep"].values.shape != result.members[0].heatmaps["deep"].values.shape
    assert result.heatmaps["deep"].values.any()


# ── empty maps ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_where_nobody_finds_anything_it_is_said() -> None:
    members = [small(seed) for seed in (2, 7)]
    result = sc.Explainer(sc.Ensemble.of_networks(members), stages=STAGES, threshold=0.999)(FRAME)
    assert not result.mask.any()
    assert {heatmap.reason for heatmap in result.heatmaps.values()} == {Reason.EMPTY_REGION}
    assert result.disagreement is not None
    assert result.disagreement.value is None
    assert "no member" in result.disagreement.undefined


def test_numbers_that_are_none_in_one_member_are_said() -> None:
    broken = small(7)
    with torch.no_grad():
        broken.module.deep.weight.fill_(float("nan"))  # type: ignore[union-attr, operator]
    result = sc.Explainer(sc.Ensemble.of_networks([small(2), broken]), stages=["deep"])(
        FRAME, sc.Target(region="image")
    )
    assert result.heatmaps["deep"].reason == Reason.NOT_FINITE
    assert not result.heatmaps["deep"].values.any()


# ── all that an explainer does ────────────────────────────────────────────────────────────────────────────────────────


def ensemble_of_two() -> sc.Ensemble:
    return sc.Ensemble.of_networks([small(2), small(7)])


def test_several_targets_and_held_frames_give_the_same() -> None:
    explainer = sc.Explainer(ensemble_of_two(), stages=STAGES)
    targets = [sc.Target(), sc.Target(region=Box(0, 0, 9, 9)), sc.Target(region="image")]
    compared = explainer.compare(FRAME, targets)
    held = explainer.hold(FRAME)
    for target, result in zip(targets, compared, strict=True):
        assert_same(held.explain(target), result)
        assert_same(explainer(FRAME, target), result)
    assert held.is_held
    held.release()
    assert not held.is_held
    assert_same(held.explain(), compared[0])


def test_a_sequence_gives_what_each_frame_gives_alone() -> None:
    explainer = sc.Explainer(ensemble_of_two(), stages=STAGES)
    frames = [FRAME, FRAME[::-1].copy(), 1 - FRAME]
    for frame, result in zip(frames, explainer.each(frames, batch=3), strict=True):
        assert_same(result, explainer(frame))


def test_estimates_add_up() -> None:
    one = sc.Explainer(small(2), "scorecam", ["deep"]).estimate(FRAME)
    assert sc.Explainer(ensemble_of_two(), "scorecam", ["deep"]).estimate(FRAME).forwards == 2 * one.forwards


def test_classes_are_compared_by_the_mean_probability() -> None:
    ensemble = sc.Ensemble.of_networks([small(8, 3), small(11, 3)])
    result = sc.Explainer(ensemble, "finercam", ["deep"])(FRAME, sc.Target(1))
    region = result.region
    others = [float(result.probabilities[index][region].mean()) for index in (0, 2)]
    assert result.target.reference_classes == ((0, 2)[int(np.argmax(others))],)
    assert [member.target.reference_classes for member in result.members] == [result.target.reference_classes] * 2


def test_networks_that_classify_are_averaged_too() -> None:
    members = [sc.Network.from_module(Classifier(seed), CARD, device="cpu", rewrite=False) for seed in (1, 2)]
    result = sc.Explainer(sc.Ensemble.of_networks(members), stages=["body"])(FRAME)
    alone = [sc.Explainer(member, stages=())(FRAME).probabilities for member in members]
    np.testing.assert_allclose(result.probabilities, np.mean(alone, axis=0), atol=1e-7)
    assert result.target.class_index == int(np.mean(alone, axis=0).argmax())
    assert result.disagreement is not None
    assert result.disagreement.value is None
    assert "classify" in result.disagreement.undefined
    assert result.heatmaps["body"].values.any()


def test_it_can_be_cancelled_between_two_members() -> None:
    asked = []

    def cancelled() -> bool:
        asked.append(True)
        return len(asked) > 3

    explainer = sc.Explainer(ensemble_of_two(), stages=STAGES, control=ProgressControl(cancelled=cancelled))
    with pytest.raises(Cancelled):
        explainer(FRAME)


# ── memory ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("fits", "runs"), [(0, [2, 2]), (1, [1, 2]), (2, [1, 1])])
def test_members_that_do_not_fit_together_run_twice_with_the_same_result(
    monkeypatch: pytest.MonkeyPatch, fits: int, runs: list[int]
) -> None:
    ensemble = ensemble_of_two()
    expected = sc.Explainer(ensemble, stages=STAGES)(FRAME)
    size = pass_bytes(ensemble.members[0], expected.segmentation.geometry.input_shape)
    monkeypatch.setattr(ensemble_engine, "HELD_BYTES", size * fits)
    counts = [0, 0]
    for number, member in enumerate(ensemble.members):

        def count(_module: object, _inputs: object, number: int = number) -> None:
            counts[number] += 1

        member.form.module.register_forward_pre_hook(count)
    explainer = sc.Explainer(ensemble, stages=STAGES)
    held = explainer.hold(FRAME)
    assert_same(held.explain(), expected)
    assert counts == runs
    assert held.is_held == (fits > 0)


# ── what is refused ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_only_stages_that_all_have_are_explained() -> None:
    members = [replace(small(1, extra=True), name="with.pth"), replace(small(2), name="without.pth")]
    ensemble = sc.Ensemble.of_networks(members)
    assert ensemble.stage("deep").name == "deep"
    with pytest.raises(SegcamError, match=r"'refined' is missing in without"):
        sc.Explainer(ensemble, stages=["refined"])
    with pytest.raises(
        SegcamError, match=r"No member of the ensemble has a stage or layer named 'depe'. All have: decoder_1"
    ):
        sc.Explainer(ensemble, stages=["depe"])
