"""Measures of doubt from the probabilities of a frame and from its cine, against values worked out independently."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import distance_transform_cdt
from scipy.stats import entropy as entropy_of

from napari_segcam.errors import SegcamError
from napari_segcam.evidence.doubt.class_map import ClassMap
from napari_segcam.evidence.doubt.ensemble import ensemble_doubt
from napari_segcam.evidence.doubt.entropy import boundary_doubt, entropy, entropy_doubt
from napari_segcam.evidence.doubt.expected_overlap import expected_dice, expected_overlap_doubt
from napari_segcam.evidence.doubt.features import feature_distances
from napari_segcam.evidence.doubt.in_a_cine import jumps, outliers
from napari_segcam.evidence.doubt.probability import mean_probability_doubt
from napari_segcam.explanation.explanation import Segmentation
from napari_segcam.imaging.geometry import lay_out
from napari_segcam.network.model_card import SizeRule


def random_map(seed: int = 0, shape: tuple[int, int] = (23, 31)) -> ClassMap:
    """Return a blob whose edge is blurred, off the middle, with noise."""
    rows, columns = np.indices(shape)
    logits = 4 - np.hypot(rows - 8, columns - 19) + np.random.default_rng(seed).normal(0, 1, shape)
    probability = (1 / (1 + np.exp(-logits))).astype(np.float32)
    return ClassMap(probability, probability > 0.5)


def empty_map(largest: float) -> ClassMap:
    probability = np.full((6, 9), 0.01, np.float32)
    probability[2, 7] = largest
    return ClassMap(probability, np.zeros((6, 9), bool))


def test_expected_dice_is_the_mean_over_all_levels() -> None:
    class_map = random_map()
    dices = []
    for level in range(256):
        region = np.floor(class_map.probability * 256) >= level
        total = region.sum() + class_map.mask.sum()
        dices.append(2 * (region & class_map.mask).sum() / total if total else 1.0)
    assert expected_dice(class_map.probability, class_map.mask) == pytest.approx(np.mean(dices), abs=1e-9)
    assert expected_overlap_doubt(class_map) == pytest.approx(1 - np.mean(dices), abs=1e-9)


def test_a_sure_mask_leaves_no_doubt_about_its_overlap() -> None:
    mask = random_map().mask
    assert expected_overlap_doubt(ClassMap(mask.astype(np.float32), mask)) == pytest.approx(0, abs=0.005)


@pytest.mark.parametrize("largest", [0.05, 0.4])
def test_an_empty_mask_is_doubtful_by_what_it_may_have_missed(largest: float) -> None:
    assert mean_probability_doubt(empty_map(largest)) == pytest.approx(largest)
    assert expected_overlap_doubt(empty_map(largest)) == pytest.approx(largest, abs=0.01)
    bits = entropy_of([largest, 1 - largest], base=2)
    assert entropy_doubt(empty_map(largest)) == pytest.approx(bits, rel=1e-4)
    assert boundary_doubt(empty_map(largest)) == pytest.approx(bits, rel=1e-4)


def test_mean_probability_is_that_of_the_mask() -> None:
    probability = np.array([[0.9, 0.6, 0.4]], np.float32)
    assert mean_probability_doubt(ClassMap(probability, probability > 0.5)) == pytest.approx(0.25)


def test_entropy_is_in_bits_per_pixel_of_the_mask() -> None:
    class_map = random_map()
    p = class_map.probability.astype(float)
    bits = entropy_of(np.stack([p, 1 - p]), base=2)
    assert entropy(class_map.probability) == pytest.approx(bits, abs=1e-4)
    per_area = bits.sum() / class_map.mask.sum()
    assert entropy_doubt(class_map) == pytest.approx(per_area / (1 + per_area), rel=1e-4)
    outside, inside = (distance_transform_cdt(side, "taxicab") for side in (~class_map.mask, class_map.mask))
    near = ((outside > 0) & (outside <= 3)) | ((inside > 0) & (inside <= 3))
    assert boundary_doubt(class_map) == pytest.approx(bits[near].mean(), rel=1e-4)


def test_a_mask_of_the_whole_frame_has_a_doubt() -> None:
    probability = np.full((20, 20), 0.8, np.float32)
    class_map = ClassMap(probability, probability > 0.5)
    assert boundary_doubt(class_map) == pytest.approx(entropy_of([0.8, 0.2], base=2), rel=1e-4)


def test_the_class_map_is_centered_on_the_threshold_and_without_padding() -> None:
    geometry = lay_out((20, 40), SizeRule(rule="letterbox", height=64, width=64), 32)
    probabilities = np.random.default_rng(1).random((1, 64, 64), np.float32)
    class_map = ClassMap.of(Segmentation(probabilities, geometry), 0, 0.3)
    assert class_map is not None
    content = probabilities[0][geometry.content].reshape(geometry.content_shape)
    assert class_map.probability.shape == (32, 64)
    np.testing.assert_array_equal(class_map.mask, content > 0.3)
    np.testing.assert_array_equal(class_map.probability > 0.5, class_map.mask)
    logit = np.log(content / (1 - content)) - np.log(0.3 / 0.7)
    np.testing.assert_allclose(class_map.probability, 1 / (1 + np.exp(-logit)), atol=1e-5)


def test_classes_that_exclude_each_other_keep_their_probabilities() -> None:
    geometry = lay_out((32, 32), SizeRule(), 32)
    probabilities = np.random.default_rng(2).dirichlet(np.ones(3), (32, 32)).transpose(2, 0, 1).astype(np.float32)
    class_map = ClassMap.of(Segmentation(probabilities, geometry), 2, 0.3)
    assert class_map is not None
    np.testing.assert_array_equal(class_map.mask, probabilities.argmax(0) == 2)
    np.testing.assert_array_equal(class_map.probability, probabilities[2])


def test_a_jump_stands_out_against_the_typical_change() -> None:
    dice = np.array([np.nan, 0.9, 0.9, 0.2, 0.2, 0.9, np.nan])
    values = jumps(dice)
    changes = np.array([0.1, 0.1, 0.45, 0.8, 0.45, 0.1])  # their median is 0.275
    assert values[:6] == pytest.approx(changes / (changes + 0.275))
    assert np.isnan(values[6])


def test_areas_unlike_the_others_stand_out() -> None:
    areas = np.array([100.0, 110.0, 90.0, 400.0, 0.0, np.nan])
    values = outliers(areas)
    assert np.nanargmax(values) == 3
    assert np.isnan(values[4:]).all()
    assert np.nanmax(values) < 1
    assert np.isnan(outliers(np.zeros(3))).all()


def test_features_far_from_the_references_stand_out() -> None:
    references = np.random.default_rng(0).normal(3, [1, 10], (40, 2))
    near, far = np.array([3.0, 3.0]), np.array([9.0, 3.0])
    also_near = np.array([3.0, 9.0])  # six units too, but that feature spreads over ten
    values = feature_distances(np.stack([near, far, also_near]), references)
    assert values[1] > 0.8
    assert values[0] < 0.6
    assert values[2] < 0.6
    own = feature_distances(references, references)
    assert (own > 0).all()  # not compared with themselves
    assert np.median(own) == pytest.approx(0.5, abs=1e-3)
    with pytest.raises(SegcamError, match="at least 5"):
        feature_distances(references, references[:4])


def test_networks_disagree_by_their_dice() -> None:
    first, second = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    first[:2], second[1:3] = True, True
    maps = [ClassMap(mask.astype(np.float32), mask) for mask in (first, second)]
    assert ensemble_doubt(maps) == pytest.approx(0.5)
