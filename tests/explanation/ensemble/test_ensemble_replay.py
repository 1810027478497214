"""Evidence and doubt of an ensemble: hiding in all members at once, against an independent computation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_networks import SmallUnet, small

import napari_segcam as sc
from napari_segcam.errors import SegcamError
from napari_segcam.explanation.ensemble.ensemble_replay import EnsembleReplay, replay_of

FRAME = np.random.default_rng(7).random((32, 32), dtype=np.float32)
STAGES = ["stem", "deep"]


def test_copies_have_the_evidence_of_the_network() -> None:
    network = small(11)
    alone, together = (
        sc.Explainer(each, stages=STAGES) for each in (network, sc.Ensemble.of_networks([network, network, network]))
    )
    figures = []
    for explainer in (alone, together):
        result = explainer(FRAME)
        evidence = sc.measure_evidence(
            result, explainer, FRAME, measures=["influence", "faithfulness", "sanity", "stability"], draws=3
        )
        figures.append(evidence)
    for name in STAGES:
        ours, theirs = figures[1].stages[name], figures[0].stages[name]
        assert ours.influence is not None
        assert theirs.influence is not None
        assert ours.influence.value == theirs.influence.value
        assert ours.influence.score == pytest.approx(theirs.influence.score)
        assert ours.faithfulness is not None
        assert theirs.faithfulness is not None
        assert ours.faithfulness.value == pytest.approx(theirs.faithfulness.value)
        assert ours.sanity == theirs.sanity
        assert ours.stability == theirs.stability
    assert figures[0].stages["stem"].influence.value > 0  # type: ignore[union-attr, operator]


def test_a_stage_is_hidden_in_all_members_at_once() -> None:
    seeds, weights = (2, 7), (0.7, 0.3)
    ensemble = sc.Ensemble.of_networks([small(seed) for seed in seeds], weights)
    explainer = sc.Explainer(ensemble, stages=["deep"])
    result = explainer(FRAME)
    evidence = sc.measure_evidence(result, explainer, FRAME, measures=["influence"])

    mean = torch.zeros(32, 32, dtype=torch.float64)
    scores = [0.0, 0.0]
    region = torch.from_numpy(result.region)
    for seed, weight in zip(seeds, weights, strict=True):
        module, x = SmallUnet(seed).eval(), torch.from_numpy(FRAME)[None, None]
        with torch.no_grad():
            before = module(x)[0, 0]
            module.deep.register_forward_hook(
                lambda _layer, _inputs, output: output.mean((2, 3), keepdim=True).expand_as(output)
            )
            after = module(x)[0, 0]
        mean += weight * after.sigmoid().double()
        scores = [
            score + weight * float(each[region].sum()) for score, each in zip(scores, (before, after), strict=True)
        ]
    hidden = mean.numpy() > 0.5
    expected = 1 - 2 * (hidden & result.mask.astype(bool)).sum() / (hidden.sum() + result.mask.astype(bool).sum())
    influence = evidence.stages["deep"].influence
    assert influence is not None
    assert influence.mask == pytest.approx(expected)
    assert influence.mask != 0
    assert influence.score == pytest.approx((scores[0] - scores[1]) / abs(scores[0]), rel=1e-4)


def test_members_that_see_the_frame_in_other_sizes_are_said() -> None:
    size = {"rule": "resize", "height": 48, "width": 64}
    wide = sc.ModelCard(input_channels=1, normalization="unit", size=size)  # type: ignore[arg-type]
    ensemble = sc.Ensemble.of_networks([small(2), small(7, card=wide)])
    explainer = sc.Explainer(ensemble, stages=["deep"])
    with pytest.raises(SegcamError, match="all members of the ensemble at once"):
        replay_of(ensemble, explainer(FRAME), FRAME)


def test_doubt_of_an_ensemble_is_the_disagreement_of_its_members() -> None:
    explainer = sc.Explainer(sc.Ensemble.of_networks([small(2), small(7)]), stages=())
    result = explainer(FRAME)
    assert result.disagreement is not None
    doubt = sc.doubt(result, explainer, FRAME, measure="ensemble")
    assert doubt.value == pytest.approx(result.disagreement.value)
    assert doubt.value
    for measure in ("entropy", "views", "small_views"):
        assert sc.doubt(result, explainer, FRAME, measure=measure).value is not None


def test_the_replay_of_an_ensemble_has_the_channels_of_all_members() -> None:
    ensemble = sc.Ensemble.of_networks([small(2), small(7, width=4)])
    result = sc.Explainer(ensemble, stages=["deep"])(FRAME)
    replay = replay_of(ensemble, result, FRAME)
    assert isinstance(replay, EnsembleReplay)
    assert replay.maps_of(FRAME)["deep"].shape[0] == 10
    with replay.at("deep") as stage:
        assert stage.activations.shape[0] == 10
        again = stage(stage.activations[None].clone())
    assert again.masks is not None
    assert stage.original.masks is not None
    np.testing.assert_array_equal(again.masks[0].numpy(), result.mask.astype(bool))
