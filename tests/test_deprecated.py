"""Names of earlier versions go on working, and say what they are called now."""

from __future__ import annotations

from pathlib import Path

import pytest
from segmentation_models_pytorch import Unet

import napari_segcam as sc
from napari_segcam.deprecated import with_present_options
from napari_segcam.explanation.slow_methods.control import ProgressControl
from napari_segcam.explanation.targets.region import Boundary
from napari_segcam.network.model_card import read_card


def test_an_earlier_public_name_is_the_present_one() -> None:
    with pytest.deprecated_call(match="Wishes is now ExplainOptions"):
        earlier = sc.Wishes
    assert earlier is sc.ExplainOptions


def test_an_earlier_argument_is_the_present_one() -> None:
    control = ProgressControl(preview=True)
    network = sc.Network.from_module(Unet("resnet18", encoder_weights=None), device="cpu")
    with pytest.deprecated_call(match="patience is now control"):
        explainer = sc.Explainer(network, "scorecam", patience=control)
    assert explainer.control is control


def test_an_earlier_argument_of_a_batch_is_the_present_one(tmp_path: Path) -> None:
    with (
        pytest.deprecated_call(match="truth_colours is now truth_colors"),
        pytest.raises(sc.SegcamError, match="There is no folder or list"),
    ):
        sc.Batch(tmp_path / "none", tmp_path / "run", "net.pth", truth_colours={"a": (1, 2, 3)})


def test_a_region_is_found_at_its_earlier_place() -> None:
    from napari_segcam.explanation import region

    with pytest.deprecated_call(match=r"napari_segcam\.explanation\.region is now"):
        earlier = region.Boundary
    assert earlier is Boundary


def test_an_earlier_option_is_the_present_one(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["batch", "images", "--truth-colours=table.csv", "--class-colour", "#102030", "--out", "run"]
    assert with_present_options(arguments) == [
        *("batch", "images", "--truth-colors=table.csv", "--class-color", "#102030", "--out", "run")
    ]
    assert "--truth-colours is now --truth-colors." in capsys.readouterr().err


def test_a_card_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "net.segcam.yaml"
    path.write_text("normalisation: unit\nclass_names: [a, b]\nclass_colours: ['#102030', '#405060']\n")
    card = read_card(path)
    assert card.normalization == "unit"
    assert card.class_colors == ("#102030", "#405060")


def test_a_card_with_a_field_under_both_names_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.segcam.yaml"
    path.write_text("normalisation: unit\nnormalization: zscore\n")
    with pytest.raises(sc.SegcamError, match="normalisation is the earlier name of normalization"):
        read_card(path)
