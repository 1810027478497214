"""Frames enter the network exactly as the card says, and results come back on the frame's own grid."""

from __future__ import annotations

import math

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.explanation import Heatmap
from napari_segcam.imaging.geometry import Crop, Geometry, lay_out
from napari_segcam.imaging.preprocessing import prepare
from napari_segcam.network.model_card import ModelCard, SizeRule, make_card
from napari_segcam.network.stages.stage import Stage

PAD = SizeRule(rule="pad")
NEAREST = SizeRule(rule="resize")
FIXED = SizeRule(rule="resize", height=64, width=32)
LETTERBOX = SizeRule(rule="letterbox", height=64, width=96)


def asymmetric(height: int, width: int) -> NDArray[np.float32]:
    """Frame without equal pixels or symmetry under flips, shifts or transposition."""
    return np.random.default_rng(0).random((height, width), dtype=np.float32)


def raw_card(rule: SizeRule, channels: int = 1) -> ModelCard:
    return ModelCard(input_channels=channels, size=rule, normalization="none")


def resized(image: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """The reference: torch's own bilinear interpolation between pixel centers."""
    return F.interpolate(image[None, None], shape, mode="bilinear", align_corners=False)[0, 0]


# ── size rules, there and back ──────────────────────────────────────────────────────────────────────────────────────


def test_padding_moves_no_pixel_and_comes_back_bit_equal() -> None:
    frame = asymmetric(37, 53)
    x, geometry = prepare(frame, raw_card(PAD), stride=16)
    assert x.shape == (1, 1, 48, 64)
    assert np.array_equal(x[0, 0, :37, :53].numpy(), frame)
    assert not x[0, 0, 37:].any()
    assert not x[0, 0, :, 53:].any()
    assert np.array_equal(geometry.to_frame(x[0, 0]).numpy(), frame)


def test_a_frame_that_fits_already_is_left_alone() -> None:
    frame = asymmetric(32, 64)
    x, geometry = prepare(frame, raw_card(PAD), stride=32)
    assert np.array_equal(x[0, 0].numpy(), frame)
    assert geometry == Geometry((32, 64), (32, 64), (32, 64))


@pytest.mark.parametrize(
    ("rule", "shape", "expected"),
    [
        (NEAREST, (37, 53), (32, 48)),  # both to the nearest multiple of 16
        (NEAREST, (5, 41), (16, 48)),  # never to zero
        (FIXED, (37, 53), (64, 32)),  # one side larger, the other smaller
    ],
)
def test_resizing_is_torchs_interpolation_there_and_back(
    rule: SizeRule, shape: tuple[int, int], expected: tuple[int, int]
) -> None:
    frame = torch.from_numpy(asymmetric(*shape))
    x, geometry = prepare(frame.numpy(), raw_card(rule), stride=16)
    torch.testing.assert_close(x[0, 0], resized(frame, expected), atol=1e-6, rtol=0)
    x = x.double()  # torch computes positions in the precision of the values
    torch.testing.assert_close(geometry.to_frame(x[0, 0]), resized(x[0, 0], shape), atol=1e-12, rtol=0)


def test_a_letterbox_with_odd_margins_keeps_the_aspect_ratio_and_comes_back() -> None:
    frame = torch.from_numpy(asymmetric(30, 61))
    x, geometry = prepare(frame.numpy(), raw_card(LETTERBOX), stride=32)
    assert geometry == Geometry((30, 61), (64, 96), content_shape=(47, 96), offset=(8, 0))  # 8 rows above, 9 below
    torch.testing.assert_close(x[0, 0, 8:55], resized(frame, (47, 96)), atol=1e-6, rtol=0)
    assert not x[0, 0, :8].any()
    assert not x[0, 0, 55:].any()
    x = x.double()
    content = x[0, 0, 8:55]
    torch.testing.assert_close(geometry.to_frame(x[0, 0]), resized(content, (30, 61)), atol=1e-12, rtol=0)


def test_a_letterbox_that_shrinks_comes_back_except_for_pixels_at_the_margin() -> None:
    frame = torch.from_numpy(asymmetric(201, 130))
    x, geometry = prepare(frame.numpy(), raw_card(LETTERBOX), stride=32)
    x = x.double()
    (_, left), (height, width) = geometry.offset, geometry.content_shape
    assert (height, width, left) == (64, 41, 27)  # 27 columns on the left, 28 on the right
    content = x[0, 0, :, left : left + width]
    back = geometry.to_frame(x[0, 0])
    edge = math.ceil(1 / geometry.zoom[1])
    expected = resized(content, (201, 130))
    torch.testing.assert_close(back[:, edge:-edge], expected[:, edge:-edge], atol=1e-12, rtol=0)


def test_a_size_that_the_network_does_not_take_is_refused() -> None:
    with pytest.raises(SegcamError, match=r"64×32 pixels, but this network needs multiples of 48"):
        lay_out((100, 100), FIXED, stride=48)


# ── placement of maps ─────────────────────────────────────────────────────────────────────────────────────────────────

shapes = st.tuples(st.integers(1, 150), st.integers(1, 150))
rules = st.one_of(
    st.sampled_from([PAD, NEAREST]),
    st.builds(
        SizeRule,
        rule=st.sampled_from(["resize", "letterbox"]),
        height=st.sampled_from([32, 64, 96, 160]),
        width=st.sampled_from([32, 64, 128, 192]),
    ),
)
strides = st.sampled_from([1, 2, 4, 8, 16, 32])
always_the_same = settings(max_examples=30, deadline=None, derandomize=True)


@always_the_same
@given(shapes, strides)
def test_at_zoom_one_a_map_has_scale_s_and_half_a_stride(shape: tuple[int, int], stride: int) -> None:
    geometry = lay_out(shape, PAD, 32)
    height, width = (length // stride for length in geometry.input_shape)
    scale, translate = geometry.placement((height, width))
    assert scale == (stride, stride)
    assert translate == ((stride - 1) / 2, (stride - 1) / 2)


@always_the_same
@given(shapes, rules, strides)
def test_a_maps_outer_edges_are_those_of_the_whole_input(shape: tuple[int, int], rule: SizeRule, stride: int) -> None:
    geometry = lay_out(shape, rule, 32)
    map_shape = (geometry.input_shape[0] // stride, geometry.input_shape[1] // stride)
    for axis, (scale, translate) in enumerate(zip(*geometry.placement(map_shape), strict=True)):
        zoom = geometry.content_shape[axis] / shape[axis]
        first_edge = -geometry.offset[axis] / zoom - 0.5
        last_edge = (geometry.input_shape[axis] - geometry.offset[axis]) / zoom - 0.5
        assert translate - scale / 2 == pytest.approx(first_edge)
        assert translate + (map_shape[axis] - 0.5) * scale == pytest.approx(last_edge)


@always_the_same
@given(shapes, rules, strides)
def test_a_map_of_positions_comes_back_as_the_frames_own_positions(
    shape: tuple[int, int], rule: SizeRule, stride: int
) -> None:
    """A map of positions on the frame must return these positions there."""
    geometry = lay_out(shape, rule, 32)
    map_shape = (geometry.input_shape[0] // stride, geometry.input_shape[1] // stride)
    scale, translate = geometry.placement(map_shape)
    for axis in (0, 1):
        positions = translate[axis] + scale[axis] * torch.arange(map_shape[axis], dtype=torch.float64)
        position_map = (positions[:, None] if axis == 0 else positions[None]).expand(map_shape)
        if map_shape == geometry.input_shape:  # the padding does not affect the frame's edge
            start = geometry.offset[axis]
            positions = positions[start : start + geometry.content_shape[axis]]
        along = torch.arange(shape[axis], dtype=torch.float64).clamp(positions[0], positions[-1])
        expected = (along[:, None] if axis == 0 else along[None]).expand(shape)
        torch.testing.assert_close(geometry.to_frame(position_map), expected, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("rule", [PAD, NEAREST, FIXED, LETTERBOX], ids=["pad", "nearest", "fixed", "letterbox"])
@pytest.mark.parametrize("hot", [(1, 1), (4, 2), (2, 1)])
def test_a_hot_pixel_peaks_where_scale_and_translate_place_it(rule: SizeRule, hot: tuple[int, int]) -> None:
    geometry = lay_out((45, 77), rule, 16)
    values = np.zeros((geometry.input_shape[0] // 8, geometry.input_shape[1] // 8), dtype=np.float32)
    values[hot] = 1
    heatmap = Heatmap(Stage("deep", "layer", 8, 1, "deep"), values, geometry)
    shown = heatmap.on_frame()
    expected = [heatmap.scale[axis] * hot[axis] + heatmap.translate[axis] for axis in (0, 1)]
    peak = np.argwhere(shown == shown.max()).mean(0)
    assert np.abs(peak - expected).max() <= 0.5 + 1e-6


def test_a_map_of_one_pixel_covers_the_frame() -> None:
    geometry = lay_out((20, 30), PAD, 32)
    assert torch.equal(geometry.to_frame(torch.full((1, 1), 3.0)), torch.full((20, 30), 3.0))


def test_maps_keep_their_dtype_and_leading_axes() -> None:
    geometry = lay_out((20, 30), NEAREST, 16)
    for dtype in (torch.float32, torch.float64):
        back = geometry.to_frame(torch.rand(2, 3, 4, 4, dtype=dtype))
        assert back.shape == (2, 3, 20, 30)
        assert back.dtype == dtype


# ── regions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@always_the_same
@given(st.tuples(st.integers(40, 200), st.integers(40, 200)), rules, st.data())
def test_a_region_keeps_its_center_there_and_back(shape: tuple[int, int], rule: SizeRule, data: st.DataObject) -> None:
    geometry = lay_out(shape, rule, 16)
    region = np.zeros(shape, dtype=bool)
    spans = []
    for axis in (0, 1):
        coarsest = math.ceil(2 / geometry.zoom[axis])  # two pixels of the input, so that it cannot be missed
        length = data.draw(st.integers(min(coarsest, shape[axis] // 2), shape[axis] // 2))
        start = data.draw(st.integers(shape[axis] // 8, shape[axis] - length - shape[axis] // 8))
        spans.append(slice(start, start + length))
    region[spans[0], spans[1]] = True
    laid = geometry.to_input(region)
    assert not (laid & ~geometry.content).any()
    back = geometry.to_frame(torch.from_numpy(laid).double()).numpy()
    for axis in (0, 1):
        profile = back.sum(1 - axis)
        center = (profile * np.arange(shape[axis])).sum() / profile.sum()
        assert abs(center - (spans[axis].start + spans[axis].stop - 1) / 2) <= 0.5 + 0.5 / geometry.zoom[axis]


def test_no_region_disappears_when_the_frame_shrinks() -> None:
    geometry = lay_out((80, 120), SizeRule(rule="resize", height=16, width=32), 16)
    for row, column in ((0, 0), (41, 7), (79, 119)):
        region = np.zeros((80, 120), dtype=bool)
        region[row, column] = True
        assert geometry.to_input(region).sum() == 1


def test_content_is_the_frame_without_the_padding() -> None:
    content = lay_out((30, 61), LETTERBOX, 32).content
    assert content.shape == (64, 96)
    assert content[8:55].all()
    assert content.sum() == 47 * 96


# ── crops ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@st.composite
def frames_with_crops(draw: st.DrawFn) -> tuple[tuple[int, int], Crop]:
    shape = draw(shapes)
    (top, bottom), (left, right) = (
        sorted(draw(st.lists(st.integers(0, length), min_size=2, max_size=2, unique=True))) for length in shape
    )
    return shape, (slice(top, bottom), slice(left, right))


@always_the_same
@given(frames_with_crops(), rules)
def test_a_crop_is_fed_as_if_it_were_the_frame(cropped: tuple[tuple[int, int], Crop], rule: SizeRule) -> None:
    shape, crop = cropped
    frame = asymmetric(*shape)
    card = ModelCard(input_channels=1, size=rule, normalization="zscore")
    x, _ = prepare(frame, card, 32, crop=crop)
    of_crop, _ = prepare(frame[crop], card, 32)
    assert torch.equal(x, of_crop)


@always_the_same
@given(frames_with_crops(), rules, strides)
def test_maps_of_a_crop_are_those_of_the_cropped_frame_at_its_corner(
    cropped: tuple[tuple[int, int], Crop], rule: SizeRule, stride: int
) -> None:
    shape, crop = cropped
    geometry = lay_out(shape, rule, 32, crop)
    alone = lay_out((crop[0].stop - crop[0].start, crop[1].stop - crop[1].start), rule, 32)
    assert geometry.input_shape == alone.input_shape
    map_shape = (geometry.input_shape[0] // stride, geometry.input_shape[1] // stride)
    scale, translate = geometry.placement(map_shape)
    assert scale == alone.placement(map_shape)[0]
    pushed = [offset + part.start for offset, part in zip(alone.placement(map_shape)[1], crop, strict=True)]
    assert translate == pytest.approx(pushed)
    maps = torch.rand(2, *map_shape, generator=torch.Generator().manual_seed(0))
    expected = torch.full((2, *shape), 7.0)
    expected[:, crop[0], crop[1]] = alone.to_frame(maps)
    assert torch.equal(geometry.to_frame(maps, outside=7.0), expected)


@always_the_same
@given(frames_with_crops(), rules, st.data())
def test_exactly_the_pixels_inside_a_crop_reach_the_input(
    cropped: tuple[tuple[int, int], Crop], rule: SizeRule, data: st.DataObject
) -> None:
    shape, crop = cropped
    geometry = lay_out(shape, rule, 32, crop)
    region = np.zeros(shape, dtype=bool)
    region[crop] = True
    assert not geometry.to_input(~region).any()
    assert np.array_equal(geometry.to_input(region), geometry.content)
    assert np.array_equal(geometry.within_window(np.ones(shape, dtype=bool)), region)
    row, column = (data.draw(st.integers(part.start, part.stop - 1)) for part in crop)
    region[:] = False
    region[row, column] = True
    back = geometry.to_frame(torch.from_numpy(geometry.to_input(region)).double()).numpy()
    if min(geometry.zoom) >= 1:  # else neighbors that share a pixel of the input are as warm as it
        assert back[row, column] == back.max() > 0
    else:
        assert back.max() > 0


def test_a_crop_of_the_whole_frame_is_none() -> None:
    assert lay_out((20, 30), PAD, 16, (slice(0, 20), slice(None))) == lay_out((20, 30), PAD, 16)


def test_black_and_white_are_estimated_from_the_whole_frame() -> None:
    frame = np.zeros((32, 64), np.float32)
    frame[:, 32:] = 255
    frame[:, :32] = 0.5
    card = ModelCard(input_channels=1, normalization="unit")
    x, _ = prepare(frame, card, 32, crop=(slice(0, 32), slice(0, 32)))
    assert x.max() == pytest.approx(0.5 / 255)


@pytest.mark.parametrize(
    ("crop", "words"),
    [
        ((slice(0, 21), slice(0, 30)), r"rows 0 to 21, columns 0 to 30\) extends beyond the frame of 20×30 pixels"),
        ((slice(0, 20), slice(-5, 30)), "columns -5 to 30.* extends beyond the frame"),
        ((slice(40, 60), slice(0, 30)), "rows 40 to 60.* extends beyond the frame"),
        ((slice(5, 5), slice(0, 30)), "rows 5 to 5.* is empty.* Draw it again"),
        ((slice(0, 20), slice(9, 3)), "columns 9 to 3.* is empty"),
        ((slice(0, 20, 2), slice(0, 30)), "skips some"),
    ],
)
def test_a_crop_beyond_the_frame_is_refused_in_words(crop: Crop, words: str) -> None:
    with pytest.raises(SegcamError, match=words):
        prepare(asymmetric(20, 30), raw_card(PAD), 16, crop=crop)


# ── values ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_imagenet_normalization_is_smps() -> None:
    frame = np.random.default_rng(1).integers(0, 256, (32, 64, 3), dtype=np.uint8)
    x, _ = prepare(frame, ModelCard(), stride=32)
    smps = smp.encoders.get_preprocessing_fn("tu-resnet18")(frame)  # "tu-": timm's, which needs no server
    np.testing.assert_allclose(x[0].permute(1, 2, 0).numpy(), smps, atol=1e-6)


def test_imagenet_normalization_of_one_channel_takes_the_average_statistics() -> None:
    x, _ = prepare(np.full((32, 32), 255, np.uint8), ModelCard(input_channels=1), stride=32)
    assert x.unique().item() == pytest.approx((1 - 0.449) / 0.226, abs=1e-5)


def test_custom_normalization_takes_the_cards_numbers() -> None:
    frame = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    card = ModelCard(normalization="custom", mean=(0.1, 0.2, 0.3), std=(0.5,))
    x, _ = prepare(frame, card, stride=32)
    expected = (frame / 255 - (0.1, 0.2, 0.3)) / 0.5
    np.testing.assert_allclose(x[0].permute(1, 2, 0), expected, atol=1e-6)


def test_zscore_ignores_the_padding() -> None:
    frame = asymmetric(37, 53)
    x, geometry = prepare(frame, ModelCard(input_channels=1, normalization="zscore"), stride=32)
    inside = geometry.to_frame(x[0, 0]).numpy()
    np.testing.assert_allclose(inside, (frame - frame.mean()) / frame.std(), atol=1e-5)


def test_zscore_of_a_constant_frame_is_zero() -> None:
    x, _ = prepare(np.full((32, 32), 7, np.uint8), ModelCard(normalization="zscore"), stride=32)
    assert torch.equal(x, torch.zeros(1, 3, 32, 32))


def test_percentiles_are_those_of_monai() -> None:
    transforms = pytest.importorskip("monai.transforms")
    frame = (asymmetric(64, 96) ** 2 * 200 + 20).astype(np.uint8)
    card = ModelCard(
        input_channels=1, normalization="percentile", percentiles=(2, 90), clip=(0, 1), mean=(0.5,), std=(0.25,)
    )
    theirs = transforms.ScaleIntensityRangePercentiles(lower=2, upper=90, b_min=0, b_max=1, clip=True)
    expected = (np.asarray(theirs(frame[None].astype(np.float32))) - 0.5) / 0.25
    x, _ = prepare(frame, card, stride=32)
    np.testing.assert_allclose(x[0].numpy(), expected, atol=1e-5)
    unlimited, _ = prepare(frame, make_card({"clip": None}, card), stride=32)
    assert float(unlimited.max()) > float(x.max()) + 0.1


def test_percentiles_by_default_stretch_the_image_and_bear_a_uniform_one() -> None:
    frame = (asymmetric(40, 50) * 100 + 50).astype(np.uint8)  # padded: the padding is no part of the image
    x, geometry = prepare(frame, ModelCard(input_channels=3, normalization="percentile"), stride=32)
    inside = x[..., geometry.offset[0] : 40, geometry.offset[1] : 50]
    assert (float(inside.min()), float(inside.max())) == pytest.approx((0, 1), abs=1e-6)
    uniform, _ = prepare(np.full((32, 32), 7, np.uint8), ModelCard(normalization="percentile"), stride=32)
    assert bool(uniform.isfinite().all())


def test_pixels_are_limited_before_the_z_score() -> None:
    frame = asymmetric(32, 32)
    card = ModelCard(input_channels=1, normalization="zscore", clip=(0.2, 0.7))
    limited = np.clip(frame, 0.2, 0.7)
    x, _ = prepare(frame, card, stride=32, value_range=(0, 1))
    np.testing.assert_allclose(x[0, 0].numpy(), (limited - limited.mean()) / limited.std(), atol=1e-4)


@pytest.mark.parametrize(
    "fields",
    [
        {"percentiles": (1, 99)},
        {"normalization": "percentile", "percentiles": (99, 1)},
        {"normalization": "percentile", "percentiles": (1, 101)},
        {"normalization": "percentile", "mean": (0.5,)},
        {"clip": (1, 0)},
    ],
)
def test_percentiles_and_limits_that_make_no_sense_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(SegcamError):
        make_card(fields)


def test_without_normalization_the_values_go_in_as_they_are() -> None:
    frame = np.array([[0, 40_000], [-7, 3]], dtype=np.int32).repeat(16, 0).repeat(16, 1)
    x, _ = prepare(frame, raw_card(PAD), stride=32)
    assert np.array_equal(x[0, 0].numpy(), frame)


@pytest.mark.parametrize(
    ("frame", "value_range"),
    [
        (np.array([[0, 255]], np.uint8), None),
        (np.array([[0, 65535]], np.uint16), None),
        (np.array([[0.0, 1.0]], np.float64), None),
        (np.array([[0.0, 1.0]], np.float16), None),
        (np.array([[0.0, 255.0]], np.float32), None),
        (np.array([[False, True]]), None),
        (np.array([[0, 4095]], np.uint16), (0.0, 4095.0)),
        (np.array([[-100.0, 300.0]], np.float32), (-100.0, 300.0)),
    ],
    ids=lambda value: str(getattr(value, "dtype", value)),
)
def test_black_is_zero_and_white_is_one(frame: NDArray[np.generic], value_range: tuple[float, float] | None) -> None:
    x, _ = prepare(frame.repeat(32, 0).repeat(16, 1), ModelCard(normalization="unit"), 32, value_range)
    assert torch.equal(x[0, :, 0, ::16], torch.tensor([0.0, 1.0]).expand(3, 2))


def test_values_beyond_black_and_white_are_clipped() -> None:
    frame = np.array([[-50, 300]], np.int16).repeat(32, 0).repeat(16, 1)
    x, _ = prepare(frame, ModelCard(normalization="unit"), 32, (0.0, 255.0))
    assert torch.equal(x[0, :, 0, ::16], torch.tensor([0.0, 1.0]).expand(3, 2))


def test_wide_values_keep_their_precision_until_black_is_subtracted() -> None:
    frame = np.array([[0, 51, 204, 255]], np.uint32).repeat(32, 0).repeat(8, 1) + np.uint32(2**31)
    x, _ = prepare(frame, ModelCard(normalization="unit"), 32, (2.0**31, 2.0**31 + 255))
    assert torch.allclose(x[0, 0, 0, ::8], torch.tensor([0, 0.2, 0.8, 1.0]))


def test_padding_is_black_before_normalization() -> None:
    x, _ = prepare(np.full((16, 16), 255, np.uint8), ModelCard(), stride=32)
    black, _ = prepare(np.zeros((32, 32), np.uint8), ModelCard(), stride=32)
    assert torch.equal(x[..., 16:, :], black[..., 16:, :])
    assert torch.equal(x[..., :, 16:], black[..., :, 16:])


# ── channels ────────────────────────────────────────────────────────────────────────────────────────────────────────

UNIT = ModelCard(normalization="unit")
UNIT_GRAY = ModelCard(normalization="unit", input_channels=1)


def test_gray_fills_every_channel() -> None:
    frame = asymmetric(32, 32)
    x, _ = prepare(frame, UNIT, stride=32)
    assert all(np.array_equal(x[0, channel].numpy(), frame) for channel in range(3))


def test_color_keeps_its_channels_and_loses_its_alpha() -> None:
    frame = np.random.default_rng(2).integers(0, 256, (32, 64, 4), dtype=np.uint8)
    x, _ = prepare(frame, UNIT, stride=32)
    np.testing.assert_allclose(x[0].permute(1, 2, 0).numpy(), frame[..., :3] / 255, atol=1e-6)


def test_a_network_trained_on_bgr_gets_blue_first_and_its_statistics_in_that_order() -> None:
    frame = np.random.default_rng(2).integers(0, 256, (32, 64, 3), dtype=np.uint8)
    card = ModelCard(normalization="custom", mean=(0.1, 0.2, 0.3), std=(1, 2, 4), channel_order="bgr")
    x, _ = prepare(frame, card, stride=32, value_range=(0, 255))
    expected = (frame[..., ::-1] / 255 - [0.1, 0.2, 0.3]) / [1, 2, 4]
    np.testing.assert_allclose(x[0].permute(1, 2, 0).numpy(), expected, atol=1e-6)


def test_gray_is_the_same_in_both_channel_orders() -> None:
    frame = np.repeat((asymmetric(32, 64) * 255).astype(np.uint8)[..., None], 3, axis=2)
    (rgb, _), (bgr, _) = (prepare(frame, ModelCard(channel_order=order), stride=32) for order in ("rgb", "bgr"))
    assert torch.equal(rgb, bgr)


def test_color_becomes_its_luminance_for_one_channel() -> None:
    frame = np.random.default_rng(3).random((32, 32, 3))
    x, _ = prepare(frame, UNIT_GRAY, stride=32)
    luminance = 0.299 * frame[..., 0] + 0.587 * frame[..., 1] + 0.114 * frame[..., 2]
    np.testing.assert_allclose(x[0, 0].numpy(), luminance, atol=1e-6)


def test_gray_stored_as_color_gives_the_same_input_as_gray() -> None:
    gray = asymmetric(32, 32)
    x, _ = prepare(np.stack([gray] * 3, axis=-1), UNIT_GRAY, stride=32)
    np.testing.assert_allclose(x[0, 0].numpy(), gray, atol=1e-6)


@pytest.mark.parametrize("normalization", ["imagenet", "unit", "zscore", "none"])
def test_the_callers_frame_is_not_changed_and_not_shared(normalization: str) -> None:
    frame = asymmetric(32, 32)
    before = frame.copy()
    card = ModelCard.model_validate({"input_channels": 1, "normalization": normalization})
    x, _ = prepare(frame, card, stride=32)
    x.fill_(9)
    assert np.array_equal(frame, before)


def test_views_and_read_only_frames_are_accepted() -> None:
    frame = asymmetric(64, 64)
    view = frame[::-2, ::2].T
    view.flags.writeable = False
    x, _ = prepare(view, UNIT_GRAY, stride=32)
    assert np.array_equal(x[0, 0].numpy(), view)


# ── faults ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (np.array([[0.0, np.nan]]), "not numbers"),
        (np.array([[0.0, np.inf]]), "not numbers"),
        (np.zeros((4, 5, 6, 3)), r"shape \(4, 5, 6, 3\)"),
        (np.zeros((32, 32, 2)), r"shape \(32, 32, 2\)"),
        (np.zeros(32), r"shape \(32,\)"),
        (np.zeros((0, 32)), r"shape \(0, 32\)"),
        (np.array([[0.0, 256.0]]), "from 0 to 256.*Scale the image"),
        (np.array([[-1.0, 1.0]]), "from -1 to 1.*Scale the image"),
    ],
)
def test_a_frame_that_cannot_be_fed_is_refused_in_words(frame: NDArray[np.generic], words: str) -> None:
    with pytest.raises(SegcamError, match=words):
        prepare(frame, ModelCard(), stride=32)


def test_color_does_not_go_into_two_channels() -> None:
    with pytest.raises(SegcamError, match="in color, but the network takes 2 channels"):
        prepare(np.zeros((32, 32, 3), np.uint8), ModelCard(input_channels=2), stride=32)


@always_the_same
@given(frames_with_crops(), rules, strides)
def test_two_matrices_interpolate_a_map(cropped: tuple[tuple[int, int], Crop], rule: SizeRule, stride: int) -> None:
    shape, crop = cropped
    geometry = lay_out(shape, rule, 32, crop)
    for map_shape in {(geometry.input_shape[0] // stride, geometry.input_shape[1] // stride), geometry.input_shape}:
        maps = torch.rand(map_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        rows, columns = geometry.interpolation(map_shape, torch.float64)
        torch.testing.assert_close(rows @ maps @ columns.T, geometry.to_window(maps), atol=1e-9, rtol=1e-9)
