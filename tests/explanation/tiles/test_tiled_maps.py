"""Images in tiles, against MONAI's sliding window and against one autograd graph over all tiles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from monai.inferers import sliding_window_inference
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

import napari_segcam as sc
from napari_segcam.errors import SegcamError
from napari_segcam.explanation.slow_methods.control import Cancelled, ProgressControl
from napari_segcam.explanation.targets.region import Box, Pixel
from napari_segcam.explanation.tiles import tiled_pass
from napari_segcam.network.model_card import make_card
from napari_segcam.network.network import Network

TILE = (64, 96)
BIAS = -2.7  # for the seed of `network_of`


class UNet(nn.Module):
    """Small network with a skip connection, without any layer that looks at the whole image."""

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 6, 3, 2, 1), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(6, 10, 3, 2, 1), nn.ReLU())
        self.decoder = nn.Sequential(nn.Conv2d(10, 6, 3, 1, 1), nn.ReLU())
        self.head = nn.Conv2d(12, classes, 3, 1, 1)
        # Random weights hardly react to the image: with these, about half of it is above the threshold.
        self.head.weight.data *= 30
        self.head.bias.data[1:] += torch.tensor(BIAS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.first(x)
        upsampled = F.interpolate(self.decoder(self.second(first)), size=first.shape[-2:], mode="bilinear")
        return F.interpolate(self.head(torch.cat([first, upsampled], 1)), size=x.shape[-2:], mode="bilinear")


def network_of(size: dict[str, object], classes: int = 2) -> Network:
    torch.manual_seed(3)
    card = make_card({"input_channels": 1, "normalization": "unit", "size": size})
    return Network.from_module(UNet(classes), card, device="cpu")


def tiled(overlap: float = 0.5, classes: int = 2) -> Network:
    size = {"rule": "tiles", "height": TILE[0], "width": TILE[1], "overlap": overlap}
    return network_of(size, classes)


def frame_of(rows: int, columns: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (rows, columns)).astype(np.uint8)


def input_of(frame: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(frame / np.float32(255))[None, None]


@pytest.mark.parametrize("overlap", [0, 0.25, 0.4, 0.5])
@pytest.mark.parametrize("shape", [(203, 331), (128, 192), (65, 96), (64, 500)])
def test_probabilities_are_those_of_monais_sliding_window(overlap: float, shape: tuple[int, int]) -> None:
    network, frame = tiled(overlap), frame_of(*shape)
    result = sc.Explainer(network, stages=())(frame)
    with torch.no_grad():
        logits = sliding_window_inference(
            input_of(frame), TILE, 2, network.module, overlap=overlap, mode="gaussian", sigma_scale=0.125
        )
    np.testing.assert_allclose(result.probabilities, logits.softmax(1)[0].numpy(), atol=1e-6)


def test_a_smaller_frame_is_padded_to_one_tile_and_runs_whole() -> None:
    network, frame = tiled(), frame_of(40, 50)
    result = sc.Explainer(network, stages=())(frame)
    padded = F.pad(input_of(frame), (0, TILE[1] - 50, 0, TILE[0] - 40))
    expected = network.module(padded).softmax(1)[0, :, :40, :50]
    np.testing.assert_allclose(result.probabilities, expected.detach().numpy(), atol=1e-6)
    assert not result.runs_in_tiles


class AllAtOnce:
    """The tiles of an image in one autograd graph in float64, without any code of the package.

    Attributes:
        starts: first row and column of each tile.
        maps: outputs of the layers in each tile, by name.
        logits: blended ``(C, Y, X)``.
    """

    def __init__(self, network: Network, frame: NDArray[np.uint8], layers: dict[str, nn.Module]) -> None:
        rows, columns = (range(0, frame.shape[axis] - TILE[axis] + 1, TILE[axis] // 2) for axis in (0, 1))
        self.starts = [(top, left) for top in rows for left in columns]
        self.maps: dict[str, list[torch.Tensor]] = {name: [] for name in layers}
        handles = [layer.register_forward_hook(self._keeper(name)) for name, layer in layers.items()]
        module, x = network.module.double().requires_grad_(True), input_of(frame).double()
        tiles = [module(x[..., top : top + TILE[0], left : left + TILE[1]])[0] for top, left in self.starts]
        for handle in handles:
            handle.remove()
        self.logits = self.blend(tiles, 1, frame.shape)

    def _keeper(self, name: str) -> Callable[[object, object, torch.Tensor], None]:
        def keep(_module: object, _inputs: object, output: torch.Tensor) -> None:
            output.retain_grad()
            self.maps[name].append(output)

        return keep

    def place(self, start: tuple[int, int], stride: int) -> tuple[slice, slice]:
        (top, left), (height, width) = start, TILE
        return slice(top // stride, (top + height) // stride), slice(left // stride, (left + width) // stride)

    def blend(self, tiles: list[torch.Tensor], stride: int, shape: tuple[int, ...]) -> torch.Tensor:
        rows, columns = shape[0] // stride, shape[1] // stride
        smallest = 1e-3 if stride == 1 else 0  # MONAI's, for logits only
        weights = gaussian(TILE[0] // stride, TILE[1] // stride, smallest)
        total, count = torch.zeros(len(tiles[0]), rows, columns).double(), torch.zeros(rows, columns).double()
        for start, tile in zip(self.starts, tiles, strict=True):
            down, right = self.place(start, stride)
            edges = (right.start, columns - right.stop, down.start, rows - down.stop)
            total = total + F.pad(tile * weights, edges)
            count[down, right] += weights
        return total / count

    def gradients(self, name: str, stride: int, shape: tuple[int, ...]) -> torch.Tensor:
        total = torch.zeros(self.maps[name][0].shape[1], shape[0] // stride, shape[1] // stride).double()
        for start, part in zip(self.starts, self.maps[name], strict=True):
            assert part.grad is not None
            total[(..., *self.place(start, stride))] += part.grad[0]
        return total


def gaussian(rows: int, columns: int, smallest: float) -> torch.Tensor:
    grid = np.zeros((rows, columns))
    for row in range(rows):
        for column in range(columns):
            down, right = (row - (rows - 1) / 2) / (rows / 8), (column - (columns - 1) / 2) / (columns / 8)
            grid[row, column] = max(np.exp(-(down**2 + right**2) / 2), smallest)
    return torch.from_numpy(grid)


REGIONS: dict[str, Callable[[NDArray[np.bool_]], NDArray[np.bool_]]] = {
    "mask": lambda mask: mask,
    "box across tiles": lambda mask: (np.indices(mask.shape)[0] > 50) & (np.indices(mask.shape)[1] < 140),
    "corner": lambda mask: (np.indices(mask.shape)[0] < 20) & (np.indices(mask.shape)[1] < 20),
}


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("limit", [2**30, 1])  # all stitched maps in memory, or one stage at a time
def test_one_score_over_all_tiles(region: str, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiled_pass, "STITCHED_BYTES", limit)
    network, frame = tiled(), frame_of(128, 192)  # steps of 32 rows and 48 columns
    layers = {"first": network.module.first, "second": network.module.second}
    pixels = REGIONS[region](sc.Explainer(network, stages=())(frame).mask == 1)
    explanations = {
        method: sc.Explainer(network, method, list(layers))(frame, sc.Target(1, pixels))
        for method in ("gradcam_signed", "gradcam", "layercam", "hirescam")
    }
    reference = AllAtOnce(network, frame, layers)
    reference.logits[1][torch.from_numpy(pixels)].sum().backward()
    for name, stride in (("first", 2), ("second", 4)):
        activations = reference.blend([part[0].detach() for part in reference.maps[name]], stride, frame.shape)
        gradients = reference.gradients(name, stride, frame.shape)
        weighted = (gradients.mean((1, 2))[:, None, None] * activations).sum(0)  # one weight for the whole image
        expected = {
            "gradcam_signed": weighted,
            "gradcam": weighted.relu(),
            "layercam": (gradients.relu() * activations).sum(0).relu(),
            "hirescam": (gradients * activations).sum(0).relu(),
        }
        for method, values in expected.items():
            found, largest = explanations[method].heatmaps[name].values, float(weighted.abs().max())
            assert values.any() or method == "gradcam"
            np.testing.assert_allclose(found, values.numpy(), atol=2e-5 * max(largest, float(values.max())))


@pytest.mark.parametrize("method", ["gradcam++", "xgradcam", "eigencam", "seg-eigen-cam", "seg-xres-cam"])
def test_methods_do_not_depend_on_how_many_maps_fit_in_memory(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network, frame = tiled(), frame_of(203, 331)
    whole = sc.Explainer(network, method)(frame, sc.Target(1))
    monkeypatch.setattr(tiled_pass, "STITCHED_BYTES", 1)
    parts = sc.Explainer(network, method)(frame, sc.Target(1))
    for name, heatmap in whole.heatmaps.items():
        assert heatmap.values.any()
        np.testing.assert_array_equal(heatmap.values, parts.heatmaps[name].values)


def smooth_frame(rows: int, columns: int) -> NDArray[np.uint8]:
    noise = torch.from_numpy(np.random.default_rng(1).random((1, 1, rows // 16, columns // 16)))
    return (F.interpolate(noise, (rows, columns), mode="bicubic")[0, 0].clamp(0, 1) * 255).numpy().astype(np.uint8)


@pytest.mark.parametrize("method", ["gradcam_signed", "layercam", "hirescam", "gradcam++", "eigencam", "xgradcam"])
@pytest.mark.parametrize("region", ["mask", "image"])
def test_mask_and_heatmaps_are_those_of_the_whole_image_without_seams(method: str, region: str) -> None:
    frame = smooth_frame(384, 512)
    whole = sc.Explainer(network_of({"rule": "pad"}), method)(frame, sc.Target(1, region))
    in_tiles = network_of({"rule": "tiles", "height": 128, "width": 128})
    parts = sc.Explainer(in_tiles, method)(frame, sc.Target(1, whole.region))
    assert whole.mask.mean() == pytest.approx(0.4, abs=0.2)
    both = np.count_nonzero(whole.mask & parts.mask)
    assert 2 * both / (np.count_nonzero(whole.mask) + np.count_nonzero(parts.mask)) >= 0.995
    for name, heatmap in whole.heatmaps.items():
        found, expected = parts.heatmaps[name].values, heatmap.values
        assert found.shape == expected.shape
        assert parts.heatmaps[name].scale == heatmap.scale
        # Near the image's edge, MONAI's smallest weight lets the edges of tiles through: gradients show them there.
        edge = 32 // heatmap.stage.stride if method in ("layercam", "hirescam") else 0
        inside = (slice(edge, found.shape[0] - edge), slice(edge, found.shape[1] - edge))
        seam = np.abs(found - expected)[inside].max()
        assert seam <= 0.01 * np.abs(expected).max(), name


def test_a_misaligned_last_tile_keeps_the_sum_of_the_gradients() -> None:
    # 203 - 64 and 331 - 96 are no multiples of the stride 4: the cells of the last tiles fall between the grid's.
    network, frame = tiled(), frame_of(203, 331)
    target = sc.Target(1, "image")
    method = sc.Explainer(network, "gradcam_signed", ["second"])
    heatmap = method(frame, target).heatmaps["second"]
    assert heatmap.values.shape == (51, 83)
    assert heatmap.scale == (4, 4)
    assert heatmap.translate == (1.5, 1.5)


@pytest.mark.parametrize("score", ["logit", "probability"])
def test_several_targets_and_a_held_frame_give_the_same_maps(score: str) -> None:
    network, frame = tiled(classes=3), frame_of(150, 200)
    explainer = sc.Explainer(network, "layercam")
    targets = [sc.Target(1, "image", score), sc.Target(2, Box(10, 20, 90, 150), score)]
    held = explainer.hold(frame)
    together = explainer.compare(frame, targets)
    in_a_row = list(explainer.each([frame, frame], lambda number: targets[number]))
    for target, explanation, from_row in zip(targets, together, in_a_row, strict=True):
        alone, from_held = explainer(frame, target), held.explain(target)
        for name, heatmap in alone.heatmaps.items():
            assert heatmap.values.any()
            for other in (explanation, from_held, from_row):
                np.testing.assert_array_equal(heatmap.values, other.heatmaps[name].values)
    held.release()


def test_an_empty_region_gives_the_reason() -> None:
    network, frame = tiled(), frame_of(150, 200)
    explanation = sc.Explainer(network)(frame, sc.Target(1, np.zeros(frame.shape, bool)))
    for heatmap in explanation.heatmaps.values():
        assert heatmap.reason is not None
        assert "empty" in heatmap.reason.value


def test_tiles_outside_the_region_get_no_backward_pass() -> None:
    network, frame = tiled(), frame_of(300, 500)
    steps: list[tuple[str, int, int]] = []
    control = ProgressControl(progress=lambda purpose, done, total: steps.append((purpose, done, total)))
    sc.Explainer(network, control=control)(frame, sc.Target(1, Pixel(0, 0)))
    count = 9 * 10
    assert [step for step in steps if step[0] == "mask"] == [("mask", number + 1, count) for number in range(count)]
    assert [step for step in steps if step[0] == "gradients"] == [("gradients", 1, 1)]


def test_cancel_stops_between_two_tiles() -> None:
    network, frame = tiled(), frame_of(300, 500)
    done: list[int] = []
    control = ProgressControl(
        progress=lambda _purpose, number, _total: done.append(number), cancelled=lambda: len(done) == 3
    )
    with pytest.raises(Cancelled):
        sc.Explainer(network, control=control)(frame)
    assert done == [1, 2, 3]


def test_methods_that_change_one_stage_are_refused_before_anything_runs() -> None:
    network, frame = tiled(), frame_of(150, 200)
    with pytest.raises(SegcamError, match=r"Score-CAM .*16 tiles of 64 × 96 pixels.*occlusion"):
        sc.Explainer(network, "scorecam")(frame)


def test_estimate_and_provenance_name_the_tiles() -> None:
    network, frame = tiled(), frame_of(150, 200)
    explainer = sc.Explainer(network)
    cost = explainer.estimate(frame)
    assert cost.forwards == 32
    assert 0 < cost.least_seconds < cost.seconds
    tiles = explainer(frame).provenance["tiles"]
    assert (tiles["count"], tiles["height"], tiles["width"], tiles["overlap"]) == (16, 64, 96, 0.5)
    assert sc.Explainer(network_of({"rule": "pad"}))(frame).provenance["tiles"] is None
