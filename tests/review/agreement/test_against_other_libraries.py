"""κ and α equal those of scikit-learn, statsmodels and a plain sum, on many random tables with missing ratings."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters
from statsmodels.stats.inter_rater import fleiss_kappa as their_fleiss_kappa
from statsmodels.stats.proportion import proportion_confint

from napari_segcam.review.agreement.bootstrap import Bootstrap
from napari_segcam.review.agreement.kappa import Weights, cohen_kappa
from napari_segcam.review.agreement.many_raters import Level, fleiss_kappa, krippendorff_alpha
from napari_segcam.review.agreement.proportion import wilson

QUICK = Bootstrap(resamples=40)


def random_ratings(seed: int, raters: int, categories: Sequence[Hashable], missing: float) -> list[list[Hashable]]:
    generator = np.random.default_rng(seed)
    units = int(generator.integers(5, 60))
    truth = generator.integers(len(categories), size=units)
    ratings = []
    for unit in range(units):
        noisy = [
            truth[unit] if generator.random() < 0.6 else generator.integers(len(categories)) for _ in range(raters)
        ]
        ratings.append([None if generator.random() < missing else categories[number] for number in noisy])
    return ratings


@pytest.mark.parametrize("weights", ["none", "linear", "quadratic"])
@pytest.mark.parametrize("seed", range(20))
def test_cohen_kappa_equals_scikit_learn(seed: int, weights: Weights) -> None:
    ratings = random_ratings(seed, 2, [1, 2, 3, 4, 5], missing=0.2)
    first, second = zip(*ratings, strict=True)
    ours = cohen_kappa(first, second, range(len(ratings)), [1, 2, 3, 4, 5], weights=weights, bootstrap=QUICK)
    pairs = [pair for pair in ratings if None not in pair]
    theirs = cohen_kappa_score(
        *zip(*pairs, strict=True), labels=[1, 2, 3, 4, 5], weights=None if weights == "none" else weights
    )
    assert ours.kappa.value == pytest.approx(theirs, abs=1e-12)
    assert ours.kappa.n == len(pairs)
    assert ours.missing == len(ratings) - len(pairs)
    assert ours.observed.value == pytest.approx(np.mean([one == other for one, other in pairs]))


@pytest.mark.parametrize("raters", [2, 3, 5])
@pytest.mark.parametrize("seed", range(15))
def test_fleiss_kappa_equals_statsmodels(seed: int, raters: int) -> None:
    categories = ["accept", "correct", "reject"]
    ratings = random_ratings(seed, raters, categories, missing=0.1)
    complete = [unit for unit in ratings if None not in unit]
    numbers = np.array([[categories.index(str(rating)) for rating in unit] for unit in complete])
    ours = fleiss_kappa(ratings, range(len(ratings)), categories, bootstrap=QUICK)
    assert ours.n == len(complete)
    assert ours.value == pytest.approx(their_fleiss_kappa(aggregate_raters(numbers)[0]), abs=1e-12)


def plain_alpha(ratings: Sequence[Sequence[Hashable]], categories: Sequence[Hashable], level: Level) -> float:
    """Return Krippendorff's α as a sum over pairs of ratings."""
    units = [[rating for rating in unit if rating is not None] for unit in ratings]
    units = [unit for unit in units if len(unit) >= 2]
    pooled = [rating for unit in units for rating in unit]

    def distance(one: Hashable, other: Hashable) -> float:
        if level == "nominal":
            return float(one != other)
        low, high = sorted((categories.index(one), categories.index(other)))
        between = sum(pooled.count(categories[number]) for number in range(low, high + 1))
        return (between - (pooled.count(one) + pooled.count(other)) / 2) ** 2

    seen = sum(
        distance(one, other) / (len(unit) - 1)
        for unit in units
        for a, one in enumerate(unit)
        for b, other in enumerate(unit)
        if a != b
    ) / len(pooled)
    by_chance = sum(
        distance(one, other) for a, one in enumerate(pooled) for b, other in enumerate(pooled) if a != b
    ) / (len(pooled) * (len(pooled) - 1))
    return 1 - seen / by_chance


@pytest.mark.parametrize("level", ["nominal", "ordinal"])
@pytest.mark.parametrize("seed", range(8))
def test_alpha_equals_the_sum_over_pairs_of_ratings(seed: int, level: Level) -> None:
    categories = [1, 2, 3, 4, 5]
    ratings = random_ratings(seed, 4, categories, missing=0.3)
    ours = krippendorff_alpha(ratings, range(len(ratings)), categories, level=level, bootstrap=QUICK)
    assert ours.value == pytest.approx(plain_alpha(ratings, categories, level), abs=1e-12)


def test_alpha_of_krippendorffs_own_example() -> None:
    """Krippendorff 2011, "Computing Krippendorff's alpha-reliability", example C: nominal 0.743, ordinal 0.815."""
    star = None
    raters = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, star, star, star],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, star, 3],
        [star, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, star],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, star],
    ]
    ratings = list(zip(*raters, strict=True))
    values = {
        level: krippendorff_alpha(ratings, range(12), [1, 2, 3, 4, 5], level=level, bootstrap=QUICK).value
        for level in ("nominal", "ordinal")
    }
    assert values == pytest.approx({"nominal": 0.743, "ordinal": 0.815}, abs=5e-4)


@pytest.mark.parametrize(("count", "total"), [(0, 1), (1, 1), (0, 12), (3, 12), (12, 12), (499, 500)])
def test_wilson_equals_statsmodels(count: int, total: int) -> None:
    ours = wilson(count, total)
    assert (ours.lower, ours.upper) == pytest.approx(proportion_confint(count, total, method="wilson"), abs=1e-12)
    assert ours.value == count / total
