"""Cross-check: our maps beside those of grad-cam, which runs the network as it was loaded."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from networks import with_fitted_norms

import napari_segcam as sc
from napari_segcam.explanation.crosscheck import SAME, cross_check, estimate_cross_check
from napari_segcam.explanation.explanation import Explanation, Heatmaps
from napari_segcam.explanation.external import counterpart
from napari_segcam.explanation.slow_methods.control import Cancelled

pytest.importorskip("pytorch_grad_cam")

SIDE = 64
FRAME = np.random.default_rng(1).integers(0, 255, (SIDE, SIDE), dtype=np.uint8)
REGION = np.zeros((SIDE, SIDE), bool)
REGION[20:44, 12:40] = True


@pytest.fixture(scope="module")
def network() -> sc.Network:
    """A U-Net++, whose nodes run in another order than their names."""
    torch.manual_seed(0)
    module = smp.UnetPlusPlus("resnet18", encoder_weights=None, classes=3, decoder_channels=(32, 16, 16, 8, 8))
    return sc.Network.from_module(with_fitted_norms(module, SIDE), sc.ModelCard(input_channels=3), "cpu")


def checked(network: sc.Network, method: str) -> tuple[sc.Explainer, Explanation]:
    explainer = sc.Explainer(network, method, "main")
    return explainer, explainer(FRAME, sc.Target(1, REGION))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["gradcam", "gradcam_signed", "layercam", "hirescam", "finercam"])
def test_every_stage_is_the_same_but_for_rounding(method: str, network: sc.Network) -> None:
    explainer, explanation = checked(network, method)
    steps: list[tuple[int, int]] = []
    check = cross_check(explanation, explainer, FRAME, progress=lambda *step: steps.append(step))
    assert [stage.stage for stage in check.stages] == list(explanation.heatmaps)
    assert len(check.stages) >= 9
    for stage in check.stages:
        assert stage.is_same, stage
        assert stage.largest_difference is not None
        assert stage.largest_difference < SAME
        if explanation.heatmaps[stage.stage].reason is None:
            assert stage.note == ""
            assert stage.correlation == pytest.approx(1)
            assert stage.seconds
        else:
            assert stage.note.startswith("both maps are empty")
    assert steps[-1] == (len(check.stages), len(check.stages))
    assert check.seconds_theirs > check.seconds_ours > 0


def test_a_map_under_another_name_is_found_out(network: sc.Network) -> None:
    explainer, explanation = checked(network, "layercam")
    maps = dict(explanation.heatmaps)
    first, second = "encoder_1", "decoder_x_0_3"
    assert maps[first].values.shape == maps[second].values.shape
    maps[first], maps[second] = (
        replace(maps[name], values=maps[other].values) for name, other in ((first, second), (second, first))
    )
    wrong = replace(explanation, heatmaps=Heatmaps(maps, {}))
    check = {stage.stage: stage for stage in cross_check(wrong, explainer, FRAME).stages}
    for name in (first, second):
        assert not check[name].is_same
        assert "please report it" in check[name].note
    assert check["encoder_3"].is_same


def test_a_difference_that_the_rewritten_form_makes_is_named(network: sc.Network) -> None:
    form = copy.deepcopy(network.form.module)
    for weight in list(form.parameters())[:2]:
        weight.mul_(1.004)
    inexact = replace(network, form=replace(network.form, module=form))
    explainer, explanation = checked(inexact, "gradcam")
    different = [check for check in cross_check(explanation, explainer, FRAME).stages if not check.is_same]
    assert len(different) >= 5
    for check in different:
        assert "run as it was loaded, the network gives a largest difference of" in check.note
        is_rounding = (check.correlation or 0) >= 0.99
        assert check.note.startswith("rounding in" if is_rounding else "not grad-cam, but this map")
    assert any(check.note.startswith("rounding in") for check in different)


def test_the_sign_of_a_component_is_explained(network: sc.Network) -> None:
    explainer, explanation = checked(network, "eigencam")
    checks = cross_check(explanation, explainer, FRAME).stages
    compared = [check for check in checks if check.largest_difference is not None]
    assert len(compared) >= 9
    assert all(check.is_same for check in compared)
    assert {check.note for check in compared} <= {
        "",
        "grad-cam's component has the other sign, which is arbitrary: compared with its sign turned",
    }


def test_conventions_are_named_where_maps_differ(network: sc.Network) -> None:
    explainer = sc.Explainer(network, "ablationcam", ["decoder_x_0_4"])
    explanation = explainer(FRAME, sc.Target(1, REGION))
    (check,) = cross_check(explanation, explainer, FRAME).stages
    assert check.is_same or "divides by the score" in check.note


def test_methods_that_only_this_package_has_have_no_counterpart(network: sc.Network) -> None:
    assert counterpart("seg-xres-cam") is None
    assert counterpart("smoothgrad") is None
    explainer = sc.Explainer(network, "seg-xres-cam", ["encoder_5"])
    with pytest.raises(sc.SegcamError, match="grad-cam has no Seg-XRes-CAM"):
        sc.cross_check(explainer(FRAME, sc.Target(1, REGION)), explainer, FRAME)


def test_it_can_be_estimated_and_cancelled(network: sc.Network) -> None:
    explainer, explanation = checked(network, "gradcam")
    assert estimate_cross_check(explanation, explainer, FRAME) > 0
    with pytest.raises(Cancelled):
        cross_check(explanation, explainer, FRAME, cancelled=lambda: True)
    assert not network.lock.locked()
