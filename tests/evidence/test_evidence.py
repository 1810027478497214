"""Evidence on a network with known answers, and against independent implementations."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from planted_network import SIDE, frame, planted
from scipy import stats

import napari_segcam as sc
from napari_segcam.evidence.echo import echo
from napari_segcam.evidence.faithfulness import faithfulness, hottest_cells, move_randomly
from napari_segcam.evidence.hiding import blur, spatial_mean
from napari_segcam.evidence.in_out import in_out, random_placements
from napari_segcam.evidence.influence import Influence
from napari_segcam.evidence.measuring import measure_evidence
from napari_segcam.evidence.null import Measurement, p_value
from napari_segcam.evidence.off_scan import off_scan
from napari_segcam.evidence.ranks import spearman
from napari_segcam.evidence.sanity import shuffle_weights
from napari_segcam.evidence.stage_evidence import StageEvidence, first_stage
from napari_segcam.evidence.views import VIEWS, View, agreement
from napari_segcam.explanation.explanation import Explanation, Heatmap
from napari_segcam.explanation.frame_replay import FrameReplay
from napari_segcam.explanation.slow_methods.control import Cancelled
from napari_segcam.network.stages.stage import Stage

STAGES = ("shallow", "idle", "deep")
LEVELS = (0.0, 255.0)


@pytest.fixture(scope="module")
def explainer() -> sc.Explainer:
    return sc.Explainer(planted(), method="gradcam_elementwise", stages=STAGES)


@pytest.fixture(scope="module")
def explanation(explainer: sc.Explainer) -> Explanation:
    return explainer(frame(), None, LEVELS)


def with_map(explanation: Explanation, stage: str, values: np.ndarray) -> Heatmap:
    return Heatmap(explanation.heatmaps[stage].stage, values.astype(np.float32), explanation.segmentation.geometry)


# Influence


def test_influence_shows_which_stages_take_part(explainer: sc.Explainer, explanation: Explanation) -> None:
    stages = measure_evidence(explanation, explainer, frame(), LEVELS, measures=("influence",)).stages
    assert stages["shallow"].influence.value == 1.0
    assert stages["deep"].influence.value == 1.0  # without its bright cell the switch is off
    assert stages["idle"].influence.value == 0.0
    assert (stages["deep"].takes_part, stages["idle"].takes_part) == (True, False)
    assert stages["idle"].statement == "takes no part in this mask"
    assert stages["deep"].statement == "hiding it costs the mask 100 %"


def test_influence_on_an_empty_mask_is_zero(explainer: sc.Explainer) -> None:
    dark = np.zeros((SIDE, SIDE), np.uint8)
    stages = measure_evidence(explainer(dark, None, LEVELS), explainer, dark, LEVELS, measures=("influence",)).stages
    assert all(stage.influence.mask == 0.0 for stage in stages.values())


def test_influence_on_a_drawn_region_is_that_of_the_score(explainer: sc.Explainer) -> None:
    region = np.zeros((SIDE, SIDE), bool)
    region[30:40, 36:46] = True
    result = explainer(frame(), sc.Target(region=region), LEVELS)
    influence = measure_evidence(result, explainer, frame(), LEVELS, measures=("influence",)).stages["deep"].influence
    with torch.no_grad():
        x = torch.from_numpy(frame() / 255).float()[None, None]
        before = planted().module(x)[0, 0][torch.from_numpy(region)].double().sum()
        cells = x[..., ::2, ::2].reshape(8, 4, 8, 4).mean((1, 3))
        after = before - region.sum() * 40 * ((cells[:4, :4].max() - 0.9).clamp(max=0) - (cells.mean() - 0.9))
    assert not influence.region_is_mask
    assert influence.value == pytest.approx(float((before - after) / before.abs()), rel=1e-5)


def test_the_blurred_reference_keeps_a_flat_map_and_levels_a_peak() -> None:
    flat, peak = torch.full((1, 8, 8), 3.0), torch.zeros(1, 9, 9)
    peak[0, 4, 4] = 1
    assert torch.allclose(blur(flat), flat)
    assert float(blur(peak).max()) < 0.1
    assert torch.equal(spatial_mean(peak), torch.full((1, 9, 9), 1 / 81))


# Faithfulness


def test_a_map_that_is_hot_at_the_switch_is_faithful(explainer: sc.Explainer, explanation: Explanation) -> None:
    values = np.zeros((8, 8))
    values[1, 1] = 1  # frame pixels 8 to 16
    with FrameReplay(explainer.network, explanation, frame(), LEVELS).at("deep") as replay:
        right = faithfulness(replay, with_map(explanation, "deep", values), region_is_mask=True)
        wrong = faithfulness(
            replay, with_map(explanation, "deep", np.roll(values, (4, 4), (0, 1))), region_is_mask=True
        )
    assert right.value == 1.0
    assert right.lift > 0.5
    assert wrong.value < 0.5
    assert wrong.p > 0.3


def test_p_of_noise_is_uniform(explainer: sc.Explainer, explanation: Explanation) -> None:
    with FrameReplay(explainer.network, explanation, frame(), LEVELS).at("shallow") as replay:
        ps = [
            faithfulness(
                replay, with_map(explanation, "shallow", noise(seed, 32)), region_is_mask=True, draws=9, seed=seed
            ).p
            for seed in range(120)
        ]
    # The 10 possible values are equally likely: a discrete uniform distribution.
    counts = np.bincount(np.rint(np.array(ps) * 10).astype(int), minlength=11)[1:]
    assert counts.sum() == 120
    assert stats.chisquare(counts).pvalue > 0.01


def noise(seed: int, side: int) -> np.ndarray:
    return np.random.default_rng(1000 + seed).random((side, side))


def test_faithfulness_of_an_empty_map_is_undefined_with_its_reason(explainer: sc.Explainer) -> None:
    result = explainer(np.zeros((SIDE, SIDE), np.uint8), None, LEVELS)
    with FrameReplay(explainer.network, result, np.zeros((SIDE, SIDE), np.uint8), LEVELS).at("deep") as replay:
        measurement = faithfulness(replay, result.heatmaps["deep"], region_is_mask=True)
    assert measurement.value is None
    assert measurement.p is None
    assert "nothing of this class" in measurement.undefined


def test_the_hottest_cells_are_ranked_and_ties_broken_at_random() -> None:
    values = np.zeros((10, 10), np.float32)
    values[3, 4] = 1
    first, second = (hottest_cells(values, 0.05, np.random.default_rng(seed)) for seed in (0, 1))
    assert first.sum() == second.sum() == 5
    assert first[3, 4]
    assert second[3, 4]
    assert (first != second).any()


def test_a_moved_map_keeps_its_values_and_loses_its_place() -> None:
    values = np.arange(20, dtype=np.float32).reshape(4, 5)
    for seed in range(20):
        elsewhere = move_randomly(values, np.random.default_rng(seed))
        assert sorted(elsewhere.ravel()) == sorted(values.ravel())
        assert (elsewhere != values).any()


def test_faithfulness_can_be_cancelled(explainer: sc.Explainer, explanation: Explanation) -> None:
    runs: list[int] = []
    with pytest.raises(Cancelled):
        measure_evidence(
            explanation,
            explainer,
            frame(),
            LEVELS,
            measures=("faithfulness",),
            progress=lambda _name, done, _total: runs.append(done),
            cancelled=lambda: len(runs) > 3,
        )
    assert len(runs) < 20


# In / out


def test_in_out_has_the_figures_of_attention_and_a_null(explanation: Explanation) -> None:
    figures, in_outs = sc.attention(explanation), in_out(explanation, draws=99)
    for name in STAGES:
        assert in_outs[name].ratio.value == figures[name].ratio
    heat = explanation.heatmaps["shallow"].raw_on_frame().astype(np.float64)
    assert in_outs["shallow"].share.value == pytest.approx(heat[explanation.region].sum() / heat.sum(), rel=1e-6)
    assert in_outs["shallow"].share.p == 0.01
    assert len(in_outs["shallow"].share.null) == 99


def test_p_of_in_out_is_uniform_for_a_region_that_is_anywhere(explanation: Explanation) -> None:
    shape = np.zeros((SIDE, SIDE), bool)
    shape[10:20, 10:17] = True
    values = np.random.default_rng(0).random((32, 32))
    ps = []
    for region in random_placements(shape, (slice(0, SIDE), slice(0, SIDE)), 150, seed=5):
        moved_there = SimpleNamespace(
            region=region,
            heatmaps={"shallow": with_map(explanation, "shallow", values)},
            segmentation=explanation.segmentation,
            frame_shape=explanation.frame_shape,
        )
        ps.append(in_out(moved_there, draws=19, seed=len(ps))["shallow"].ratio.p)
    counts = np.bincount(np.ceil(np.array(ps) * 5).astype(int), minlength=6)[1:]
    assert stats.chisquare(counts).pvalue > 0.01


def test_random_places_keep_size_and_shape_and_stay_in_the_scan() -> None:
    region = np.zeros((40, 60), bool)
    region[5:9, 7:17] = True
    region[5, 7] = False
    scan = slice(3, 30), slice(10, 50)
    outside = np.ones_like(region)
    outside[scan] = False
    placements = random_placements(region, scan, 50, seed=0)
    assert len(placements) == 50
    assert all(placed.sum() == region.sum() and not (placed & outside).any() for placed in placements)
    assert len({placed.tobytes() for placed in placements}) > 40
    assert any(np.ptp(np.flatnonzero(placed.any(1))) == 9 for placed in placements)  # some are turned


def test_a_region_that_fills_the_scan_has_no_null() -> None:
    assert random_placements(np.ones((8, 8), bool), (slice(0, 8), slice(0, 8)), 5, seed=0) == []


# Echo, sanity, off the scan, views


def test_a_copy_of_the_mask_is_an_echo(explanation: Explanation) -> None:
    copied = with_map(explanation, "shallow", explanation.probabilities[0])
    assert echo(explanation, copied) == pytest.approx(1.0)
    assert StageEvidence(copied.stage, echo=1.0).statement == "repeats the mask"


def test_spearman_is_that_of_scipy() -> None:
    first = np.random.default_rng(0).integers(0, 5, 200)
    second = first + np.random.default_rng(1).integers(0, 5, 200)
    assert spearman(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)
    assert spearman(first, np.zeros(200)) is None


def test_shuffled_weights_are_the_same_values_elsewhere() -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 6, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(6, 1, 1))
    network = sc.Network.from_module(module, sc.ModelCard(input_channels=1), device="cpu")
    before = [parameter.clone() for parameter in network.module.parameters()]
    once, twice = (shuffle_weights(network, 3).module for _ in range(2))
    for old, after, new, again in zip(
        before, network.module.parameters(), once.parameters(), twice.parameters(), strict=True
    ):
        assert torch.equal(old, after)
        assert torch.equal(new, again)
        assert torch.equal(old.flatten().sort().values, new.flatten().sort().values)
    assert not torch.equal(before[0], next(once.parameters()))


def test_sanity_flags_a_map_that_any_weights_give(explainer: sc.Explainer, explanation: Explanation) -> None:
    # One weight cannot be shuffled: the network that has learned nothing is the network itself.
    shallow = measure_evidence(explanation, explainer, frame(), LEVELS, measures=("sanity",)).stages["shallow"]
    assert shallow.sanity == pytest.approx(1.0)
    assert "much the same in a network that has learned nothing" in shallow.statement


def test_heat_off_the_scan_is_counted(explanation: Explanation) -> None:
    values = np.zeros((8, 8))
    values[0, 0], values[4, 4] = 3, 1
    off = off_scan(with_map(explanation, "deep", values), (slice(24, 64), slice(24, 64)))
    assert off.ring == 0.75
    assert off.ring_area == 28 / 64
    assert off.outside == pytest.approx(0.75, abs=0.1)  # the peak in the corner is wider on the frame
    assert off_scan(with_map(explanation, "deep", values)).outside is None


def test_views_move_and_brighten_and_come_back() -> None:
    values = np.arange(12, dtype=np.uint8).reshape(2, 6) * 20
    assert View(shift=2).of(values, LEVELS).tolist() == [[0, 0, 0, 20, 40, 60], [120, 120, 120, 140, 160, 180]]
    assert View(shift=2).shift_back(View(shift=2).of(values, LEVELS))[:, :4].tolist() == values[:, :4].tolist()
    assert View(gain=1.15).of(values, LEVELS).max() == 253
    assert View(gain=0.85).of(values, (20, 255))[0, 0] == 20  # never below black
    assert len(VIEWS) == 7


def test_agreement_is_the_mean_dice_of_all_pairs() -> None:
    one, other = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    one[:2], other[1:3] = True, True
    empty = np.zeros((4, 4), bool)
    assert agreement([one, other]) == 0.5
    assert agreement([one, other, empty]) == pytest.approx(0.5 / 3)
    assert agreement([empty, empty]) == 1.0


def test_stability_of_a_network_that_follows_the_picture(explainer: sc.Explainer, explanation: Explanation) -> None:
    evidence = measure_evidence(explanation, explainer, frame(), LEVELS, measures=("stability",))
    assert 0.5 < evidence.agreement <= 1
    assert evidence.stages["shallow"].stability is not None


# Statements, and the stage shown first


def stage(name: str, kind: str, stride: int, influence: float, p: float | None = None) -> StageEvidence:
    null = () if p is None else tuple([0.0] * round(20 * (1 - p)) + [1.0] * (round(20 * p) - 1))
    return StageEvidence(
        Stage(name, kind, stride, 1, name),
        Influence(influence, None, True),
        None if p is None else Measurement(0.9, null),
    )


def test_the_stage_shown_first_is_the_deepest_that_takes_part_and_whose_places_matter() -> None:
    shallow, deep = stage("encoder_3", "encoder", 8, 1.0, 0.05), stage("encoder_4", "encoder", 16, 1.0, 0.05)
    idle = stage("encoder_5", "encoder", 32, 0.003, 0.05)
    decoder, last = stage("decoder_1", "decoder", 8, 0.0), stage("decoder_2", "decoder", 2, 0.9)
    assert first_stage([shallow, deep, idle, decoder, last]).name == "encoder_4"
    unfaithful = stage("encoder_4", "encoder", 16, 1.0, 0.5)
    assert first_stage([shallow, unfaithful, idle]).name == "encoder_3"
    assert first_stage([stage("encoder_3", "encoder", 8, 1.0, 0.5), unfaithful, idle]).name == "encoder_4"
    assert first_stage([idle, decoder, last]).name == "decoder_2"
    assert first_stage([idle, decoder, last]).why == "no encoder stage takes part in this mask"
    assert first_stage([idle]).name is None


def test_statements_in_words() -> None:
    assert stage("a", "encoder", 2, 0.83, 0.05).statement == (
        "hiding it costs the mask 83 %; its hot places matter more than others (0.90 against 0.00)"
    )
    assert stage("a", "encoder", 2, 0.83, 0.5).statement.endswith("its hot places matter no more than others")
    assert stage("a", "encoder", 2, 0.01, 0.05).statement == "takes no part in this mask"
    score = StageEvidence(Stage("a", "encoder", 2, 1, "a"), Influence(None, -0.4, False))
    assert score.statement == "hiding it raises the score by 40 %"


def test_p_counts_the_figure_itself() -> None:
    assert p_value(1.0, [0.0] * 19) == 0.05
    assert p_value(0.5, [0.0, 0.5, 1.0]) == 0.75
    assert Measurement(1.0, (0.0, 0.5)).lift == 0.75


def test_the_frame_must_be_the_explained_one(explainer: sc.Explainer, explanation: Explanation) -> None:
    with pytest.raises(sc.SegcamError, match="Give the frame that was explained"):
        measure_evidence(explanation, explainer, frame()[:32], LEVELS)
    with pytest.raises(sc.SegcamError, match="no measure 'influenza'"):
        measure_evidence(explanation, explainer, frame(), LEVELS, measures=("influenza",))  # type: ignore[arg-type]
