"""The explainer: results of one call on one frame, for networks small enough to know them in advance."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pytorch_grad_cam.utils.image import scale_cam_image
from torch import nn

from napari_segcam.demo import FRAME, demo_checkpoint, sample_cine
from napari_segcam.errors import SegcamError
from napari_segcam.explanation.emptiness import Reason
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.passes import precision
from napari_segcam.explanation.slow_methods.control import Cancelled, ProgressControl
from napari_segcam.explanation.targets.region import Box, Pixel
from napari_segcam.explanation.targets.target import Target
from napari_segcam.imaging.opening import open_cine
from napari_segcam.network.loading import load_network
from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.network import Network

CARD = ModelCard(input_channels=1, normalization="unit")


class Pixelwise(nn.Module):
    """Independent pixels: ``stem`` gives (brightness, darkness), ``head`` combines them to logits."""

    def __init__(self, weights: list[list[float]], biases: list[float]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 2, 1)
        self.unused = nn.Conv2d(2, 2, 1)
        self.head = nn.Conv2d(2, len(biases), 1)
        self.stem.weight = nn.Parameter(torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1))
        self.stem.bias = nn.Parameter(torch.tensor([0.0, 1.0]))
        self.head.weight = nn.Parameter(torch.tensor(weights, dtype=torch.float32).reshape(-1, 2, 1, 1))
        self.head.bias = nn.Parameter(torch.tensor(biases, dtype=torch.float32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.stem(x)
        self.unused(features)
        return self.head(features)


def network_of(weights: list[list[float]], biases: list[float]) -> Network:
    # It accepts any size, but is padded here like a deeper network.
    return replace(Network.from_module(Pixelwise(weights, biases), CARD, device="cpu"), stride=32)


BRIGHT = network_of([[10, 0]], [-5])  # foreground where brighter than a half
DARK = network_of([[0, 10]], [-5])  # foreground where darker, so that black padding would be foreground
AGAINST = network_of([[-10, 0]], [5])  # as DARK, but brightness counts against it
THIRDS = network_of([[0, 0], [1, 0], [3, 0]], [0.35, 0.0, -1.2])  # 0 up to 0.35, 1 up to 0.6, 2 above


class TinyUnet(nn.Module):
    """Structure of SMP's networks: an encoder that returns a list, a decoder with blocks, a segmentation head."""

    def __init__(self, classes: int = 1) -> None:
        super().__init__()
        self.encoder = TinyEncoder()
        self.decoder = TinyDecoder()
        self.segmentation_head = nn.Conv2d(4, classes, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.segmentation_head(self.decoder(self.encoder(x)))


class TinyEncoder(nn.Module):
    output_stride = 4

    def __init__(self) -> None:
        super().__init__()
        self.layer1 = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.layer2 = nn.Sequential(nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace=True))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        first = self.layer1(x)
        return [x, first, self.layer2(first)]


class TinyDecoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([nn.Conv2d(10, 5, 3, padding=1), nn.Conv2d(5, 4, 3, padding=1)])

    def forward(self, features: list[torch.Tensor]) -> torch.Tensor:
        _, first, second = features
        x = self.blocks[0](torch.cat([first, F.interpolate(second, scale_factor=2)], 1)).tanh()
        return self.blocks[1](F.interpolate(x, scale_factor=2)).tanh()


@pytest.fixture(scope="module")
def unet() -> Network:
    torch.manual_seed(3)
    return Network.from_module(TinyUnet(), CARD, device="cpu")


def frame_of(height: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((height, width), dtype=np.float32)


def are_identical(first: Explanation, second: Explanation) -> bool:
    """Whether two explanations are equal bit for bit."""
    return (
        np.array_equal(first.probabilities, second.probabilities)
        and np.array_equal(first.mask, second.mask)
        and list(first.heatmaps) == list(second.heatmaps)
        and all(np.array_equal(first.heatmaps[name].values, second.heatmaps[name].values) for name in first.heatmaps)
    )


# ── probabilities and mask ────────────────────────────────────────────────────────────────────────────────────────────


def test_one_channel_is_a_sigmoid_cut_at_the_threshold() -> None:
    frame = frame_of(32, 64)
    result = Explainer(BRIGHT, stages=["stem"])(frame)
    assert result.probabilities.shape == (1, 32, 64)
    assert result.probabilities.dtype == np.float32
    np.testing.assert_allclose(result.probabilities[0], 1 / (1 + np.exp(5 - 10 * frame)), atol=1e-6)
    assert result.mask.dtype == np.uint8
    assert np.array_equal(result.mask, (frame > 0.5).astype(np.uint8))
    assert result.target.class_index == 0
    assert np.array_equal(result.target_mask, frame > 0.5)
    assert result.class_names == ("foreground",)


def test_the_earlier_names_of_masks_work_with_a_warning() -> None:
    result = Explainer(BRIGHT, stages=())(frame_of(32, 32))
    with pytest.warns(DeprecationWarning, match="Explanation.found is now Explanation.target_mask"):
        assert np.array_equal(result.found, result.target_mask)
    with pytest.warns(DeprecationWarning, match="Explanation.drawn is now Explanation.display_mask"):
        assert result.drawn is result.display_mask


def test_a_given_threshold_replaces_the_cards() -> None:
    frame = frame_of(32, 32)
    assert BRIGHT.card.threshold == 0.5
    result = Explainer(BRIGHT, stages=(), threshold=0.9)(frame)
    assert np.array_equal(result.mask, result.probabilities[0] > 0.9)
    assert result.threshold == result.provenance["threshold"] == 0.9


def test_a_mask_at_another_threshold_equals_that_of_another_run(unet: Network) -> None:
    network = unet.with_image_size(64)
    frame = np.random.default_rng(1).integers(0, 255, (50, 70), np.uint8)
    high = float(np.quantile(Explainer(network, stages=())(frame).probabilities, 0.7))
    cut_again = Explainer(network, stages=())(frame).segmentation.mask(high)
    assert 0 < cut_again.sum() < cut_again.size
    np.testing.assert_array_equal(cut_again, Explainer(network, stages=(), threshold=high)(frame).mask)


def test_several_channels_are_a_softmax_whose_likeliest_class_is_the_label() -> None:
    frame = frame_of(32, 64)
    result = Explainer(THIRDS, stages=["stem"])(frame, Target(class_index=2))
    np.testing.assert_allclose(result.probabilities.sum(0), 1, atol=1e-5)
    assert np.array_equal(result.mask, np.digitize(frame, [0.35, 0.6]))
    assert np.array_equal(result.target_mask, frame > 0.6)
    assert np.array_equal(result.region, frame > 0.6)


def test_by_default_the_first_class_that_is_not_the_background_is_explained() -> None:
    assert Explainer(THIRDS, stages=())(frame_of(32, 32)).target.class_index == 1


@pytest.mark.parametrize("class_index", [2, "class 2", np.int64(2)], ids=repr)
def test_a_class_is_chosen_by_number_or_name(class_index: Any) -> None:
    assert Explainer(THIRDS, stages=())(frame_of(32, 32), Target(class_index)).target.class_index == 2


def test_a_frame_that_needs_padding_gets_its_own_shape_back() -> None:
    frame = frame_of(20, 37)
    result = Explainer(BRIGHT, stages=["stem"])(frame)
    assert result.probabilities.shape == (1, 20, 37)
    assert np.array_equal(result.mask, (frame > 0.5).astype(np.uint8))
    assert result.frame_shape == (20, 37)


def test_the_value_range_is_used() -> None:
    frame = (frame_of(32, 32) * 4095).astype(np.uint16)
    result = Explainer(BRIGHT, stages=())(frame, value_range=(0, 4095))
    assert np.array_equal(result.mask, (frame / 4095 > 0.5).astype(np.uint8))


# ── the region M ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_mask_is_the_region_and_its_logits_are_summed() -> None:
    frame = frame_of(32, 32)
    result = Explainer(BRIGHT, stages=["stem"])(frame)
    assert np.array_equal(result.region, frame > 0.5)
    weight = 10 * (frame > 0.5).sum() / frame.size  # mean gradient of the sum over M
    np.testing.assert_allclose(result.heatmaps["stem"].values, weight * frame, rtol=1e-5)


def test_the_image_is_every_pixel_of_the_frame_and_none_of_the_padding() -> None:
    frame = frame_of(20, 37)
    result = Explainer(BRIGHT, stages=["stem"])(frame, Target(region="image"))
    assert result.region.all()
    weight = 10 * frame.size / (32 * 64)
    np.testing.assert_allclose(result.heatmaps["stem"].values[:20, :37], weight * frame, rtol=1e-5)


def test_the_mask_does_not_include_the_padding() -> None:
    frame = frame_of(20, 37)
    result = Explainer(DARK, stages=["stem"])(frame)
    weight = 10 * (frame < 0.5).sum() / (32 * 64)
    np.testing.assert_allclose(result.heatmaps["stem"].values[:20, :37], weight * (1 - frame), rtol=1e-5)


def test_a_drawn_region_is_the_region() -> None:
    frame, drawn = frame_of(20, 37), np.zeros((20, 37), dtype=bool)
    drawn[3:9, 30:] = True
    result = Explainer(BRIGHT, stages=["stem"])(frame, Target(region=drawn))
    assert np.array_equal(result.region, drawn)
    assert result.provenance["target"]["region"] == "drawn"
    np.testing.assert_allclose(
        result.heatmaps["stem"].values[:20, :37], 10 * drawn.sum() / (32 * 64) * frame, rtol=1e-5
    )


def test_later_drawing_does_not_change_the_explained_region() -> None:
    frame, drawn = frame_of(32, 32), np.ones((32, 32), dtype=bool)
    result = Explainer(BRIGHT, stages=["stem"])(frame, Target(region=drawn))
    drawn[:] = False
    assert result.region.all()


def test_the_class_of_the_target_selects_the_logits() -> None:
    """With HiResCAM the map is weight × activation inside M and nothing outside."""
    frame = frame_of(32, 32)
    explainer = Explainer(THIRDS, method="hirescam", stages=["stem"])
    for index, slope in ((1, 1.0), (2, 3.0)):
        result = explainer(frame, Target(index))
        inside = result.mask == index
        np.testing.assert_allclose(result.heatmaps["stem"].values, slope * frame * inside, rtol=1e-5)


# ── reasons ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def reason_of(network: Network, target: Target, frame: NDArray[np.float32], stage: str = "stem") -> Reason | None:
    heatmap = Explainer(network, stages=[stage])(frame, target).heatmaps[stage]
    assert (heatmap.reason is None) == bool(heatmap.values.any())
    assert np.isfinite(heatmap.values).all()
    assert np.array_equal(heatmap.on_frame(), np.zeros(frame.shape)) or heatmap.reason is None
    return heatmap.reason


def test_a_map_with_heat_has_no_reason() -> None:
    assert reason_of(BRIGHT, Target(), frame_of(32, 32)) is None


def test_an_empty_mask_has_its_reason() -> None:
    assert reason_of(BRIGHT, Target(), frame_of(32, 32) * 0.4) is Reason.EMPTY_REGION


def test_a_class_that_is_not_found_has_its_reason() -> None:
    assert reason_of(THIRDS, Target(2), frame_of(32, 32) * 0.5) is Reason.EMPTY_REGION


def test_evidence_only_against_the_target_has_its_reason() -> None:
    assert reason_of(AGAINST, Target(region="image"), frame_of(32, 32) + 1) is Reason.NOTHING_POSITIVE


def test_a_stage_without_effect_on_the_score_has_its_reason() -> None:
    assert reason_of(BRIGHT, Target(), frame_of(32, 32), stage="unused") is Reason.NOT_CONNECTED


@pytest.mark.parametrize("region", ["mask", "image"])
@pytest.mark.parametrize("network", [BRIGHT, THIRDS], ids=["one class", "several"])
def test_weights_that_are_not_numbers_have_their_reason(network: Network, region: Any) -> None:
    broken = Network.from_module(network.module, CARD, device="cpu", rewrite=False)
    broken.module.get_parameter("stem.weight")[0] = torch.nan
    assert reason_of(broken, Target(region=region), frame_of(32, 32)) is Reason.NOT_FINITE


# ── stages and heatmaps ───────────────────────────────────────────────────────────────────────────────────────────────


def test_heatmaps_have_their_stages_resolution_and_order(unet: Network) -> None:
    result = Explainer(unet)(frame_of(16, 24), Target(region="image"))
    shapes = {name: heatmap.values.shape for name, heatmap in result.heatmaps.items()}
    assert list(shapes.items()) == [
        ("encoder_1", (8, 12)),
        ("encoder_2", (4, 6)),
        ("decoder_0", (8, 12)),
        ("decoder_1", (16, 24)),
        ("seg_head", (16, 24)),
    ]
    assert all(heatmap.values.dtype == np.float32 for heatmap in result.heatmaps.values())
    assert all((heatmap.values >= 0).all() for heatmap in result.heatmaps.values())


def test_aliases_work_for_stages_and_for_heatmaps(unet: Network) -> None:
    result = Explainer(unet, stages=["encoder_last", "decoder_last"])(frame_of(16, 24))
    assert list(result.heatmaps) == ["encoder_2", "decoder_1"]
    assert result.heatmaps["encoder_last"] is result.heatmaps["encoder_2"]
    assert "decoder_last" in result.heatmaps
    assert "encoder_early" not in result.heatmaps


def test_without_stages_there_is_only_the_same_mask(unet: Network) -> None:
    frame = frame_of(16, 24)
    alone, full = Explainer(unet, stages=())(frame), Explainer(unet)(frame)
    assert len(alone.heatmaps) == 0
    assert np.array_equal(alone.mask, full.mask)
    np.testing.assert_allclose(alone.probabilities, full.probabilities, atol=1e-6)


def test_a_stages_map_does_not_depend_on_the_other_stages(unet: Network) -> None:
    frame, target = frame_of(16, 24), Target(region="image")
    full = Explainer(unet, stages="all")(frame, target)
    for name in full.heatmaps:
        alone = Explainer(unet, stages=[name])(frame, target)
        np.testing.assert_allclose(alone.heatmaps[name].values, full.heatmaps[name].values, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("stage", ["encoder_2", "encoder_1", "decoder_1"])
def test_on_frame_is_scaled_like_the_reference(unet: Network, stage: str) -> None:
    heatmap = Explainer(unet, method="layercam")(frame_of(32, 48), Target(region="image")).heatmaps[stage]
    assert heatmap.values.any()
    reference = scale_cam_image(scale_cam_image(heatmap.values[None]), (48, 32))[0]
    np.testing.assert_allclose(heatmap.on_frame(), scale_cam_image(reference[None])[0], atol=2e-6)


def test_scale_and_translate_place_a_map_on_the_frame(unet: Network) -> None:
    heatmaps = Explainer(unet)(frame_of(13, 22)).heatmaps  # padded to 16 × 24
    assert (heatmaps["encoder_2"].scale, heatmaps["encoder_2"].translate) == ((4, 4), (1.5, 1.5))
    assert (heatmaps["decoder_1"].scale, heatmaps["decoder_1"].translate) == ((1, 1), (0, 0))


# ── repeatable, one owner at a time ───────────────────────────────────────────────────────────────────────────────────


def test_two_runs_are_bit_equal(unet: Network) -> None:
    explainer, frame = Explainer(unet, method="gradcam++"), frame_of(40, 56)
    assert are_identical(explainer(frame), explainer(frame))


def test_explainers_that_share_a_network_in_threads_give_the_same_as_alone(unet: Network) -> None:
    explainers = [
        Explainer(unet, method="gradcam", stages="all"),
        Explainer(unet.with_image_size(32), method="layercam", stages=["decoder_0"]),
        Explainer(unet, stages=()),
    ]
    jobs = [(explainer, frame_of(40, 56, seed)) for seed in range(4) for explainer in explainers]
    alone = [explainer(frame) for explainer, frame in jobs]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda job: job[0](job[1]), jobs))
    assert all(are_identical(one, other) for one, other in zip(alone, together, strict=True))


def test_a_network_in_float64_gives_results_in_float32() -> None:
    network = Network.from_module(Pixelwise([[10, 0]], [-5]).double(), CARD, device="cpu")
    result = Explainer(network, stages=["stem"])(frame_of(32, 32))
    assert result.probabilities.dtype == result.heatmaps["stem"].values.dtype == np.float32


def test_provenance_describes_the_computation(unet: Network) -> None:
    result = Explainer(unet, method="layercam", stages=["encoder_last"])(frame_of(13, 22), Target(region="image"))
    provenance = json.loads(json.dumps(dict(result.provenance)))
    assert result.method == provenance["method"] == "layercam"
    assert provenance["stages"] == ["encoder_2"]
    assert provenance["target"] == {"class_index": 0, "region": "image", "score": "sum of logits over the region"}
    assert provenance["frame_shape"] == [13, 22]
    assert provenance["input_shape"] == [16, 24]
    assert provenance["checkpoint"] == provenance["architecture"] == "TinyUnet"
    assert provenance["device"] == "cpu"
    assert (
        provenance["versions"]["torch"] == torch.__version__.split("+")[0]
        or provenance["versions"]["torch"] == torch.__version__
    )
    assert ModelCard.model_validate(provenance["model_card"]) == CARD
    assert "sha256" in provenance


# ── faults ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Shrinking(nn.Module):
    """A network whose mask is half as large as its input."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 1, 2, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.stem(x)


class FixedSize(nn.Module):
    """A network that runs on 64 × 64 pixels only."""

    def __init__(self) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(1, 1, 64, 64))
        self.stem = nn.Conv2d(1, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.stem(x + self.position)


def test_an_unknown_choice_is_refused_before_anything_runs(unet: Network) -> None:
    with pytest.raises(SegcamError, match="no method 'cam'"):
        Explainer(unet, method="cam")
    with pytest.raises(SegcamError, match=r"no stage or layer named 'encoder_9'\. Closest: encoder_2"):
        Explainer(unet, stages=["encoder_9"])


def test_an_unknown_class_is_refused_with_a_list_of_classes() -> None:
    for class_index in (3, -1, "fibroid"):
        with pytest.raises(SegcamError, match=r"no class .*0 \(background\), 1 \(class 1\), 2 \(class 2\)"):
            Explainer(THIRDS, stages=())(frame_of(32, 32), Target(class_index))  # type: ignore[arg-type]


def test_a_region_of_another_shape_is_refused(unet: Network) -> None:
    with pytest.raises(SegcamError, match=r"shape \(5, 5\), but the frame has \(16, 24\)"):
        Explainer(unet)(frame_of(16, 24), Target(region=np.ones((5, 5), dtype=bool)))


def test_a_network_with_a_smaller_output_is_refused() -> None:
    network = Network.from_module(Shrinking(), CARD, device="cpu")
    with pytest.raises(SegcamError, match=r"output has \(16, 16\) pixels for an input of \(32, 32\)"):
        Explainer(network, stages=["stem"])(frame_of(32, 32))


@pytest.mark.parametrize("stages", [(), ("stem",)], ids=["mask", "heatmaps"])
def test_a_size_that_the_network_does_not_accept_is_refused_in_words(stages: tuple[str, ...]) -> None:
    network = Network.from_module(FixedSize(), CARD, device="cpu")
    explainer = Explainer(network, stages=stages)
    assert explainer(frame_of(64, 64)).mask.shape == (64, 64)
    with pytest.raises(SegcamError, match="does not run on an input of 32×96 pixels"):
        explainer(frame_of(32, 96))


# ── several targets, several frames ───────────────────────────────────────────────────────────────────────────────────


def tiny_explainer(method: str = "gradcam") -> Explainer:
    torch.manual_seed(0)
    return Explainer(Network.from_module(TinyUnet(), CARD, device="cpu"), method)


def speckle(count: int, shape: tuple[int, int] = (32, 48)) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 255, (count, *shape), dtype=np.uint8)


def assert_same(ours: Explanation, alone: Explanation) -> None:
    np.testing.assert_array_equal(ours.mask, alone.mask)
    np.testing.assert_array_equal(ours.region, alone.region)
    np.testing.assert_allclose(ours.probabilities, alone.probabilities, atol=1e-6)
    assert list(ours.heatmaps) == list(alone.heatmaps)
    for name, heatmap in ours.heatmaps.items():
        assert heatmap.reason is alone.heatmaps[name].reason
        np.testing.assert_allclose(heatmap.values, alone.heatmaps[name].values, rtol=1e-4, atol=1e-6)


def test_targets_that_share_a_forward_pass_equal_single_ones() -> None:
    explainer, (frame,) = tiny_explainer(), speckle(1)
    targets = [
        Target(region="image"),
        Target(region=Box(4, 4, 20, 20)),
        Target(region="mask", score="probability"),
        Target(region=np.zeros(frame.shape, dtype=bool)),
    ]
    together = explainer.compare(frame, targets)
    assert len(together) == len(targets)
    for target, ours in zip(targets, together, strict=True):
        assert_same(ours, explainer(frame, target))
    assert {heatmap.reason for heatmap in together[3].heatmaps.values()} == {Reason.NOTHING_DRAWN}


def test_several_targets_cost_one_forward_pass() -> None:
    explainer, (frame,) = tiny_explainer(), speckle(1)
    passes = []
    explainer.network.form.module.register_forward_hook(lambda *_: passes.append(1))
    explainer.compare(frame, [Target(region="image"), Target(region=Pixel(3, 3)), Target()])
    assert len(passes) == 1


@pytest.mark.parametrize("batch", [None, 1, 2, 5])
def test_frames_in_batches_equal_single_ones(batch: int | None) -> None:
    explainer, frames = tiny_explainer(), speckle(5)

    def target_of(number: int) -> Target:
        return Target(region=Box(number, number, number + 12, number + 9))

    results = list(explainer.each(frames, target_of, batch=batch))
    assert len(results) == 5
    for number, (frame, ours) in enumerate(zip(frames, results, strict=True)):
        assert_same(ours, explainer(frame, target_of(number)))


def test_frames_are_read_when_needed() -> None:
    explainer, read = tiny_explainer(), []

    def frame_source() -> Iterator[NDArray[np.uint8]]:
        for number, frame in enumerate(speckle(9)):
            read.append(number)
            yield frame

    results = explainer.each(frame_source(), batch=2)
    next(results)
    assert read == [0, 1]


def test_frames_of_several_shapes_are_refused() -> None:
    explainer = tiny_explainer()
    with pytest.raises(SegcamError, match="must have one shape"):
        list(explainer.each([*speckle(1), *speckle(1, (64, 64))], batch=2))


def test_a_method_without_gradients_runs_without_a_graph() -> None:
    explainer, (frame,) = tiny_explainer("eigencam"), speckle(1)
    recorded = []
    explainer.network.form.module.register_forward_hook(lambda _m, _i, output: recorded.append(output.requires_grad))
    result = explainer(frame, Target(region=np.zeros(frame.shape, dtype=bool)))
    assert recorded == [False]
    assert all(heatmap.reason is None for heatmap in result.heatmaps.values()), "it knows no target"


def test_signed_maps_keep_the_evidence_against() -> None:
    (frame,) = speckle(1)
    signed, usual = (Explainer(AGAINST, method, stages=["stem"])(frame) for method in ("gradcam_signed", "gradcam"))
    heatmap = signed.heatmaps["stem"]
    assert heatmap.signed
    assert heatmap.reason is None
    assert (heatmap.values < 0).any()
    assert usual.heatmaps["stem"].reason is Reason.NOTHING_POSITIVE
    assert heatmap.on_frame().min() == pytest.approx(-1, abs=1e-4)


# ── input channels ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("channels", "color"), [(1, False), (1, True), (3, False), (3, True), (5, False)])
def test_networks_of_one_three_and_many_channels_accept_suitable_frames(channels: int, color: bool) -> None:
    torch.manual_seed(0)
    module = TinyUnet()
    module.encoder.layer1[0] = nn.Conv2d(channels, 4, 3, stride=2, padding=1)
    network = Network.from_module(module, CARD.model_copy(update={"input_channels": channels}), device="cpu")
    frame = np.random.default_rng(0).random((32, 48, 3) if color else (32, 48), dtype=np.float32)
    result = Explainer(network)(frame, Target(region="image"))
    assert result.mask.shape == (32, 48)
    assert len(result.heatmaps) == 5
    assert any(heatmap.reason is None for heatmap in result.heatmaps.values())


def test_a_color_frame_for_a_network_of_many_channels_is_refused() -> None:
    network = Network.from_module(nn.Conv2d(5, 1, 1), CARD.model_copy(update={"input_channels": 5}), device="cpu")
    with pytest.raises(SegcamError, match="in color, but the network takes 5 channels"):
        Explainer(network, stages=())(np.zeros((32, 32, 3), np.float32))


# ── what it will cost ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", ["scorecam", "ablationcam"])
def test_the_cost_of_a_slow_method_is_a_run_per_channel_of_each_stage(unet: Network, method: str) -> None:
    explainer = Explainer(unet, method, stages=["encoder_1", "decoder_0"])
    cost = explainer.estimate(frame_of(16, 24))
    assert cost.forwards == 1 + 4 + 5
    assert 0 < cost.seconds < 60


def test_the_cost_of_a_gradient_method_is_one_pass(unet: Network) -> None:
    cost = Explainer(unet, stages=["encoder_1"]).estimate(frame_of(16, 24))
    assert cost.forwards == 1
    assert 0 < cost.seconds < 60


def test_progress_is_reported_stage_by_stage(unet: Network) -> None:
    progress: list[tuple[str, int, int]] = []
    control = ProgressControl(progress=lambda stage, done, total: progress.append((stage, done, total)))
    Explainer(unet, "scorecam", ["encoder_1", "decoder_0"], control=control)(frame_of(16, 24))
    assert progress == [("encoder_1", 4, 4), ("decoder_0", 4, 5), ("decoder_0", 5, 5)]


# ── autocast ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_autocast_is_refused_where_it_is_slower(unet: Network) -> None:
    with pytest.raises(SegcamError, match="Autocast is faster on NVIDIA GPUs only; this network is on cpu"):
        Explainer(unet, autocast=True)


@pytest.mark.slow
@pytest.mark.parametrize("rewrite", [True, False])
def test_autocast_changes_maps_slightly_and_is_recorded(rewrite: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_DEVICES_THAT_GAIN", ("cpu",))
    network = load_network(demo_checkpoint(), "cpu", rewrite=rewrite)
    frame, dtypes = open_cine(sample_cine())[FRAME], []
    exact = Explainer(network, stages="main")(frame)
    explainer = Explainer(network, stages="main", autocast=True)
    handle = network.module_for(explainer.stages)[0].register_forward_hook(lambda _m, _i, out: dtypes.append(out.dtype))
    quick = explainer(frame)
    handle.remove()
    assert dtypes == [torch.bfloat16, torch.float32], "the second compares the mask with that in full precision"
    assert (exact.provenance["precision"], quick.provenance["precision"]) == ("float32", "bfloat16 autocast")
    assert (quick.mask != exact.mask).mean() < 0.002
    for name, heatmap in exact.heatmaps.items():
        ours = quick.heatmaps[name].values
        assert ours.dtype == np.float32
        assert np.corrcoef(ours.ravel(), heatmap.values.ravel())[0, 1] > 0.998, name


class Cancelling(nn.Module):
    """Adds a large number and takes it away, which loses in bfloat16 what is between."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 1, 1)
        self.head = nn.Conv2d(1, 1, 1)
        for layer, weight, bias in ((self.stem, 1.0, 300.0), (self.head, 1.0, -300.5)):
            nn.init.constant_(layer.weight, weight)
            nn.init.constant_(layer.bias, bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.stem(x))


def test_autocast_that_changes_the_mask_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_DEVICES_THAT_GAIN", ("cpu",))
    card = ModelCard(input_channels=1, normalization="unit")
    network = Network.from_module(Cancelling(), card, device="cpu", rewrite=False)
    empty, frame = np.zeros((32, 32), np.uint8), np.full((32, 32), 200, np.uint8)
    explainer = Explainer(network, stages=["stem"], autocast=True)
    explainer(empty, Target(region="image"))
    for _ in range(2):  # it is refused again, and not only once
        with pytest.raises(SegcamError, match=r"differs in 1,024 pixels .* Leave autocast out"):
            explainer(frame, Target(region="image"))
    assert Explainer(network, stages=["stem"])(frame, Target(region="image")).mask.all()


def test_slow_methods_run_under_autocast_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_DEVICES_THAT_GAIN", ("cpu",))
    frame = frame_of(32, 32)
    for method in ("scorecam", "ablationcam"):
        exact, quick = (
            Explainer(BRIGHT, method, ["stem"], autocast=on)(frame, Target(region="image")).heatmaps["stem"].values
            for on in (False, True)
        )
        assert exact.any()
        np.testing.assert_allclose(quick, exact, atol=0.02 * exact.max())


def test_a_fast_method_can_be_cancelled_before_its_backward_pass_and_run_again() -> None:
    is_cancelled = [True]
    explainer = Explainer(BRIGHT, stages=["stem"], control=ProgressControl(cancelled=lambda: is_cancelled[0]))
    frame = np.linspace(0, 255, 64, dtype=np.uint8).reshape(8, 8)
    with pytest.raises(Cancelled):
        explainer(frame)
    is_cancelled[0] = False
    np.testing.assert_array_equal(
        explainer(frame).heatmaps["stem"].values, Explainer(BRIGHT, stages=["stem"])(frame).heatmaps["stem"].values
    )
