"""Perturbations: none at strength 0, more change at more strength, the same for a seed, and figures known by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_segcam.errors import SegcamError
from napari_segcam.perturbing.catalog import PERTURBATIONS, find_perturbations, parse_strengths
from napari_segcam.perturbing.echoes import DYNAMIC_RANGE, STRONGEST_SPECKLE
from napari_segcam.perturbing.perturbation import Perturbation
from napari_segcam.perturbing.shares import Frame, FrameContext

CONTEXT = FrameContext((0.0, 255.0), (0.3, 0.3), seed=3)
NAMES = list(PERTURBATIONS)


def scan(shape: tuple[int, ...] = (48, 64)) -> Frame:
    """Return soft speckle with a black column at the left, and a bright block."""
    values = np.random.default_rng(0).normal(size=shape)
    values = gaussian_filter(values, (1.5, 1.5) + (0,) * (len(shape) - 2))
    values = np.clip(110 + 200 * values, 1, 255)
    values[shape[0] // 3 : shape[0] // 2, shape[1] // 2 :] = 230
    values[:, 0] = 0
    return np.rint(values).astype(np.uint8)


def difference(perturbation: Perturbation, strength: float, context: FrameContext = CONTEXT) -> float:
    """Return the mean change of the pixels; of a movement, including the pixels that are not shown any more."""
    frame = scan()
    changed = perturbation.of_frame(frame, strength, context).astype(float)
    if changed.shape != frame.shape:
        changed, _ = perturbation.back(changed, frame.shape[:2], strength, context)
    return float(np.abs(changed - frame).mean())


@pytest.mark.parametrize("name", NAMES)
def test_strength_0_changes_no_bit_and_others_keep_dtype_and_range(name: str) -> None:
    perturbation = PERTURBATIONS[name]
    strongest = find_perturbations([name])[name][-1]
    for dtype in (np.uint8, np.uint16, np.float32):
        for shape in ((24, 32), (24, 32, 3), (1, 1), (2, 3), (5, 4, 3)):
            frame = scan(shape).astype(dtype)
            same = perturbation.of_frame(frame, 0, CONTEXT)
            assert same is not frame
            assert same.dtype == frame.dtype
            assert same.tobytes() == frame.tobytes()
            changed = perturbation.of_frame(frame, strongest, CONTEXT)
            assert (changed.dtype, changed.ndim) == (frame.dtype, frame.ndim)
            assert (changed.shape == frame.shape) or name == "crop"
            assert changed.min() >= 0
            assert changed.max() <= 255


@pytest.mark.parametrize("name", NAMES)
def test_more_strength_changes_more(name: str) -> None:
    perturbation = PERTURBATIONS[name]
    strengths = find_perturbations([name])[name]
    for sign in (1, -1):
        ordered = [value for value in strengths if np.sign(value) == sign]
        changes = [difference(perturbation, value) for value in ordered]
        assert all(first < second for first, second in zip([0.0, *changes], changes, strict=False)), changes


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_gives_the_same_frame_and_the_frame_given_stays(name: str) -> None:
    perturbation, frame = PERTURBATIONS[name], scan()
    before, strength = frame.copy(), find_perturbations([name])[name][-1]
    first = perturbation.of_frame(frame, strength, CONTEXT)
    assert np.array_equal(first, perturbation.of_frame(frame, strength, CONTEXT))
    assert np.array_equal(frame, before)
    other = perturbation.of_frame(frame, strength, replace(CONTEXT, seed=4))
    assert np.array_equal(first, other) != (name in ("speckle", "shadow", "shadow_width", "graphics"))


@pytest.mark.parametrize("name", NAMES)
def test_another_value_range_gives_the_same_picture(name: str) -> None:
    perturbation, strength = PERTURBATIONS[name], find_perturbations([name])[name][-1]
    frame = scan().astype(np.float64)
    shifted = perturbation.of_frame(frame * 4 - 100, strength, replace(CONTEXT, value_range=(-100.0, 920.0)))
    plain = perturbation.of_frame(frame, strength, CONTEXT)
    assert np.allclose((shifted + 100) / 4, plain, atol=1e-6)


def test_gain_and_dynamic_range_by_hand() -> None:
    frame = np.array([[0, 51, 102, 255]], np.uint8)
    lower = PERTURBATIONS["gain"].of_frame(frame, -DYNAMIC_RANGE / 5, CONTEXT)
    assert lower.tolist() == [[0, 0, 51, 204]]
    higher = PERTURBATIONS["gain"].of_frame(frame, DYNAMIC_RANGE / 5, CONTEXT)
    assert higher.tolist() == [[0, 102, 153, 255]]  # black stays black, white is cut
    narrow = PERTURBATIONS["contrast"].of_frame(frame, -DYNAMIC_RANGE / 2, CONTEXT)
    assert narrow.tolist() == [[0, 0, 0, 255]]
    wide = PERTURBATIONS["contrast"].of_frame(frame, DYNAMIC_RANGE, CONTEXT)
    assert wide.tolist() == [[0, 153, 178, 255]]


def test_gain_keeps_the_hue_of_colors() -> None:
    frame = np.array([[[200, 100, 0]]], np.uint8)
    darker = PERTURBATIONS["gain"].of_frame(frame, -100 / 255 * DYNAMIC_RANGE, CONTEXT)
    assert darker.tolist() == [[[100, 50, 0]]]


@pytest.mark.parametrize("snr", [STRONGEST_SPECKLE, 10.0, 20.0])
def test_the_snr_of_speckle_is_the_one_asked_for(snr: float) -> None:
    frame = np.full((400, 400), 0.5)
    noisy = PERTURBATIONS["speckle"].of_frame(frame, snr, FrameContext((0.0, 1.0)))
    factors = 10 ** ((noisy - 0.5) * DYNAMIC_RANGE / 20)
    assert 20 * np.log10(factors.mean() / factors.std()) == pytest.approx(snr, abs=0.25)


def test_blur_is_in_mm_where_the_frame_is_calibrated() -> None:
    frame = np.zeros((41, 41))
    frame[20, 20] = 1
    blurred = PERTURBATIONS["blur"].of_frame(frame, 0.6, FrameContext((0.0, 1.0), spacing_mm=(0.2, 0.3)))
    places = np.arange(41) - 20
    for axis, sigma in ((1, 3), (0, 2)):
        profile = blurred.sum(axis)
        assert np.sqrt((profile * places**2).sum() / profile.sum()) == pytest.approx(sigma, rel=0.02)
    assert PERTURBATIONS["blur"].unit_in(FrameContext((0, 1), (0.2, 0.3))) == "mm"
    assert PERTURBATIONS["blur"].unit_in(FrameContext((0, 1))) == "px"


def test_a_shadow_takes_its_decibels_from_its_part_of_the_width() -> None:
    frame = np.full((4, 1000), 0.8)
    dark = PERTURBATIONS["shadow"].of_frame(frame, 15, FrameContext((0.0, 1.0)))
    loss = (frame - dark)[0] * DYNAMIC_RANGE
    assert np.mean(loss > 15 - 1e-6) == pytest.approx(0.2, abs=0.003)
    assert loss.max() == pytest.approx(15)
    assert np.mean(loss > 1e-6) == pytest.approx(0.4, abs=0.005)  # with the soft edges
    assert (np.diff(dark, axis=0) == 0).all()


def test_rotation_is_counterclockwise_and_in_the_true_shape() -> None:
    rotation = PERTURBATIONS["rotation"]
    frame = np.random.default_rng(0).integers(0, 255, (31, 31)).astype(np.uint8)
    assert np.array_equal(rotation.of_frame(frame, 90, CONTEXT), np.rot90(frame))
    # Pixels twice as high as wide: a square of 10 × 20 pixels is a square in truth, and so after 90°.
    mask = np.zeros((41, 81), bool)
    mask[15:26, 30:51] = True
    turned = rotation.of_mask(mask, 90, FrameContext((0.0, 1.0), pixel_aspect=2.0))
    assert 2 * (turned & mask).sum() / (turned.sum() + mask.sum()) > 0.97


@pytest.mark.parametrize("name", ["rotation", "crop"])
def test_mask_and_frame_move_alike_and_back(name: str) -> None:
    movement = PERTURBATIONS[name]
    rows, columns = np.indices((60, 80))
    mask = np.hypot(rows - 25, columns - 45) < 12
    frame = np.where(mask, 255, 0).astype(np.uint8)
    for strength in (-25, -7, 7, 25) if name == "rotation" else (7, 25):
        moved = movement.of_frame(frame, strength, CONTEXT) > 127
        moved_mask = movement.of_mask(mask, strength, CONTEXT)
        assert 2 * (moved & moved_mask).sum() / (moved.sum() + moved_mask.sum()) > 0.97
        back, seen = movement.back(moved_mask, mask.shape, strength, CONTEXT)
        again = (back > 0.5) & seen
        assert 2 * (again & mask).sum() / (again.sum() + mask.sum()) > 0.97
        assert 0.3 < seen.mean() < 1


def test_more_marks_contain_fewer_marks() -> None:
    graphics, frame = PERTURBATIONS["graphics"], np.zeros((90, 90), np.uint8)
    few, many = (graphics.of_frame(frame, count, CONTEXT) > 0 for count in (2, 8))
    assert (many | few == many).all()
    assert 0 < few.sum() < many.sum()


def test_what_is_asked_for() -> None:
    assert list(find_perturbations()) == NAMES
    assert find_perturbations(["jpeg"], {"jpeg": (20, 0, 80, 20)}) == {"jpeg": (80.0, 20.0)}
    assert parse_strengths("gain=-6,6; jpeg=50") == {"gain": (-6.0, 6.0), "jpeg": (50.0,)}
    assert list(find_perturbations((), {"gain": (3,)})) == ["gain"]


@pytest.mark.parametrize(
    ("names", "strengths", "words"),
    [
        (["gian"], None, "There is no perturbation 'gian'. Choose from: gain"),
        (["gain"], {"jpeg": (50,)}, "strengths of jpeg, which is not among"),
        ((), {"jpeg": (50.5,)}, "whole number"),
        ((), {"jpeg": (150,)}, "give 1 to 95"),
        ((), {"speckle": (2,)}, "or 0 for none"),
        ((), {"gain": (0,)}, "no strength of gain besides 0"),
    ],
)
def test_what_is_wrong_is_refused(names: list[str], strengths: dict[str, tuple[float, ...]], words: str) -> None:
    with pytest.raises(SegcamError, match=words):
        find_perturbations(names, strengths)


@pytest.mark.parametrize("text", ["gain", "gain=", "gain=a", "gain=inf", "=3;gain=nan"])
def test_strengths_that_are_not_understood(text: str) -> None:
    with pytest.raises(SegcamError, match=r"not understood|no perturbation"):
        find_perturbations((), parse_strengths(text))
