"""Ensembles from files: several paths, the file that names them, and members that do not agree."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from batches import write_checkpoint

import napari_segcam as sc
from napari_segcam.errors import SegcamError
from napari_segcam.network.device import TooLittleMemory
from napari_segcam.network.ensemble.ensemble_file import ENSEMBLE_SUFFIX, write_ensemble_file
from napari_segcam.network.ensemble.member_loading import load_members
from napari_segcam.network.ensemble.member_names import unique_names
from napari_segcam.network.ensemble.members import MemberList

FRAME = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)


@pytest.fixture(scope="module")
def folds(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("folds")
    paths = []
    for number in range(2):
        (folder / f"fold_{number}").mkdir()
        paths.append(write_checkpoint(folder / f"fold_{number}" / "best.pth", seed=number))
    return paths


@pytest.mark.slow
def test_a_list_of_paths_is_an_ensemble(folds: list[Path]) -> None:
    ensemble = sc.load_network(folds, device="cpu")
    assert isinstance(ensemble, sc.Ensemble)
    assert ensemble.member_names == ("fold_0", "fold_1")
    assert ensemble.name == "fold_0 + fold_1"
    assert ensemble.architecture == "2 × Unet"
    assert ensemble.weights == (0.5, 0.5)
    result = sc.Explainer(ensemble, stages=())(FRAME)
    alone = [sc.Explainer(sc.load_network(path, device="cpu"), stages=())(FRAME) for path in folds]
    np.testing.assert_allclose(result.probabilities, np.mean([each.probabilities for each in alone], 0), atol=1e-7)
    assert [member["sha256"] for member in result.provenance["members"]] == [
        sc.load_network(path, device="cpu").sha256 for path in folds
    ]


def test_one_path_in_a_list_is_an_ensemble_of_one(folds: list[Path]) -> None:
    result = sc.Explainer(sc.load_network(folds[:1], device="cpu"), stages=())(FRAME)
    alone = sc.Explainer(sc.load_network(folds[0], device="cpu"), stages=())(FRAME)
    np.testing.assert_array_equal(result.probabilities, alone.probabilities)
    assert result.disagreement is not None
    assert "one member" in result.disagreement.undefined


def test_a_file_names_the_members_relative_to_its_folder(
    folds: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = sc.ModelCard(threshold=0.3, class_names=("lesion",))
    path = write_ensemble_file(folds[0].parent.parent / "both", folds, [3, 1], card, force=True)
    assert path.name == f"both{ENSEMBLE_SUFFIX}"
    assert "fold_0/best.pth" in path.read_text()
    assert os.fspath(folds[0].parent) not in path.read_text()
    monkeypatch.chdir(tmp_path)
    ensemble = sc.load_network(path, device="cpu")
    assert isinstance(ensemble, sc.Ensemble)
    assert ensemble.name == "both"
    assert ensemble.weights == (0.75, 0.25)
    assert ensemble.card.threshold == 0.3
    assert ensemble.class_names == ("lesion",)
    assert [member.card.threshold for member in ensemble.members] == [0.3, 0.3]
    result = sc.Explainer(ensemble, stages=())(FRAME)
    expected = 0.75 * result.members[0].probabilities + 0.25 * result.members[1].probabilities
    np.testing.assert_allclose(result.probabilities, expected, atol=1e-7)
    with pytest.raises(SegcamError, match="--force"):
        write_ensemble_file(path, folds)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("members: []", "members"),
        ("- a.pth", "has errors"),
        ("members: [a.pth]\nmodels: 3", "models"),
        ("members: [a.pth, b.pth]\nweights: [1, -1]", "weights.1"),
        ("members: [a.pth, b.pth]\nweights: [1]", "2 members, but 1 weights"),
        ("members: [other.segcam-ensemble.yaml]", "another ensemble"),
        ("members: [a.pth]\ncard: {treshold: 0.3}", "treshold"),
        ("members: !!python/object/apply:os.system [ls]", "not valid YAML"),
        ("members: [missing.pth]", "missing"),
        ("", "members"),
    ],
)
def test_what_is_wrong_in_a_file_is_said(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / f"wrong{ENSEMBLE_SUFFIX}"
    path.write_text(content)
    with pytest.raises(SegcamError, match=words):
        sc.load_network(path, device="cpu")


def test_a_member_that_is_not_there_is_named(folds: list[Path], tmp_path: Path) -> None:
    with pytest.raises(SegcamError, match=r"of the ensemble: There is no file .*gone\.pth"):
        sc.load_network([*folds, tmp_path / "gone.pth"], device="cpu")
    with pytest.raises(SegcamError, match="at most 64"):
        sc.load_network([folds[0]] * 65, device="cpu")
    with pytest.raises(SegcamError, match="empty"):
        sc.load_network([], device="cpu")


@pytest.mark.slow
def test_a_member_that_does_not_fit_on_the_device_runs_on_the_cpu(folds: list[Path]) -> None:
    asked: list[tuple[str, str]] = []

    def load(path: Path, card: sc.ModelCard | None, device: str) -> sc.Network:
        asked.append((path.parent.name, device))
        if path == folds[1] and device == "cuda":
            raise TooLittleMemory("simulated")
        return sc.load_network(path, "cpu", card=card)

    ensemble = load_members(MemberList(tuple(folds)), load, device="cuda")
    assert asked == [("fold_0", "cuda"), ("fold_1", "cuda"), ("fold_1", "cpu")]
    assert any(warning.startswith("fold_1: It runs on the CPU") for warning in ensemble.warnings)
    result = sc.Explainer(ensemble, stages=())(FRAME)
    expected = sc.Explainer(sc.load_network(folds, device="cpu"), stages=())(FRAME)
    np.testing.assert_array_equal(result.probabilities, expected.probabilities)


@pytest.mark.slow
def test_members_that_do_not_agree_are_refused(folds: list[Path], tmp_path: Path) -> None:
    three = write_checkpoint(tmp_path / "three.pth", classes=3)
    with pytest.raises(SegcamError, match=r"three has 3 classes, but best has 1 class\b"):
        sc.load_network([folds[0], three], device="cpu")
    torch.manual_seed(0)
    gray = smp.Unet("resnet18", encoder_weights=None, decoder_channels=(32, 16, 8, 8, 4), in_channels=1)
    torch.save(gray.state_dict(), tmp_path / "gray.pth")
    with pytest.raises(SegcamError, match="gray takes images of 1 channels, but best takes images of 3 channels"):
        sc.load_network([folds[0], tmp_path / "gray.pth"], device="cpu")


@pytest.mark.slow
def test_class_names_must_agree_where_both_name_them(tmp_path: Path) -> None:
    paths = [write_checkpoint(tmp_path / f"{name}.pth", classes=2, seed=seed) for seed, name in enumerate("abc")]
    (tmp_path / "b.segcam.yaml").write_text("class_names: [background, cyst]")
    assert sc.load_network(paths[:2], device="cpu").class_names == ("background", "cyst")
    (tmp_path / "c.segcam.yaml").write_text("class_names: [background, fibroid]")
    with pytest.raises(SegcamError, match="c has the classes background, fibroid, but b has background, cyst"):
        sc.load_network(paths, device="cpu")
    (tmp_path / "c.segcam.yaml").write_text("class_names: [background, cyst]\nclasses_overlap: true")
    with pytest.raises(SegcamError, match="c has overlapping classes"):
        sc.load_network(paths, device="cpu")


def test_different_architectures_share_what_both_have(tmp_path: Path, folds: list[Path]) -> None:
    torch.manual_seed(5)
    fpn = smp.FPN("resnet18", encoder_weights=None, decoder_pyramid_channels=16, decoder_segmentation_channels=32)
    torch.save(fpn.state_dict(), tmp_path / "fpn.pth")
    ensemble = sc.load_network([folds[0], tmp_path / "fpn.pth"], device="cpu")
    names = [stage.name for stage in ensemble.stages]
    assert names == [*(f"encoder_{number}" for number in range(1, 6)), "decoder_last", "seg_head"]
    assert ensemble.architecture == "Unet, FPN"
    result = sc.Explainer(ensemble, stages="all")(FRAME, sc.Target(region="image"))
    assert list(result.heatmaps) == names
    own = [list(member.heatmaps) for member in result.members]
    assert own[0][-2] != own[1][-2]
    assert result.heatmaps["decoder_last"].values.any()
    assert result.heatmaps["encoder_last"].stage.name == "encoder_5"


def test_an_image_size_reaches_all_members(folds: list[Path]) -> None:
    ensemble = sc.load_network(folds, device="cpu").with_image_size(96)
    result = sc.Explainer(ensemble, stages=())(FRAME)
    assert result.segmentation.probabilities.shape[1:] == (96, 96)
    with pytest.raises(SegcamError, match="multiples of 32"):
        ensemble.with_image_size(100)


def test_names_are_short_and_different() -> None:
    assert unique_names(["a/x.pth", "a/y.pth"]) == ("x", "y")
    assert unique_names(["a/x.pth", "b/x.pth"]) == ("a", "b")
    assert unique_names(["a/x.pth", "b/x.pth", "b/y.pth"]) == ("a/x", "b/x", "b/y")
    assert unique_names(["a/x.pth", "a/x.pt"]) == ("x.pth", "x.pt")
    assert unique_names(["a/x.pth", "a/x.pth"]) == ("x.pth (1)", "x.pth (2)")
    assert unique_names(["r/fold_0/c.pth", "r/fold_1/c.pth"]) == ("fold_0", "fold_1")
